# GNU make 4.3.  `make help' lists the targets that people use.
#
# A checkout is itself a working site: conf.d/ here is its configuration, and
# `make renew', `make roll' and `make status' work on certs/ here.

MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL     := /bin/sh
.SUFFIXES:
.PHONY: all demo clean FORCE
all:			## build every program

# A program is a file src/sslm-NAME.c; what the others hold is shared.
PROGS   := $(patsubst src/%.c,%,$(wildcard src/sslm-*.c))
SHARED  := $(filter-out sslm-%,$(patsubst src/%.c,%,$(wildcard src/*.c)))
SCRIPTS := sslm-mgr sslm-import sslm-auth-hook
LIBS-sslm-status    := -ljansson
LIBS-sslm-jws       := -ljansson
LIBS-sslm-acme      := -lcurl -ljansson
LIBS-sslm-challenge := -lldns -ljansson
LIBS-sslm-dane      := -lldns
LIBS-sslm-nscheck   := -lldns -ljansson
LIBS-sslm-probe     := -lssl -lldns
LIBS-sslm-nsupdate  := -lldns

include mk/build.mk
include mk/check.mk
include mk/install.mk
include mk/package.mk

MK := mk
include mk/site.mk
renew roll status due verify probe check-prod conf prod deploy: | all

demo: all		## the whole way on the sample site: renew, roll, verify, status
	@$(MAKE) renew V=1
	@$(MAKE) roll V=1
	@$(MAKE) verify
	@$(MAKE) status

clean:			## remove what was built; certs/ stays
	rm -rf build $(PROGS:%=bin/%)
