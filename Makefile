# GNU make 4.3.  `make help' lists the targets that people use.
#
# A checkout is itself a working site: conf.d/ here is its configuration, and
# `make renew', `make roll' and `make status' work on certs/ here.

MAKEFLAGS   += --no-builtin-rules --no-print-directory
SHELL       := /bin/sh
.SUFFIXES:
.DELETE_ON_ERROR:
.PHONY: all FORCE
all:			## build every program

# A program is a file src/sslm-NAME.c; what the others hold is shared.
PROGS  := $(patsubst src/%.c,%,$(wildcard src/sslm-*.c))
SHARED := $(filter-out sslm-%,$(patsubst src/%.c,%,$(wildcard src/*.c)))
LIBS-sslm-conf := -ljansson

include mk/build.mk
