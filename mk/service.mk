# mk/service.mk - the commands of every certificate step, once.
#
# Which file comes from which is said by certs/<group>/<service>/Makefile, a
# generated file for each service; those of the services that are due are read
# here.  Run in the site's directory by mk/site.mk.
#
# Reads:    certs/.due (a service a line), FLAGS (of a step; set by the target)
# Provides: issue (the set in next of every service listed, complete), and its
#           first steps: key, csr, and order (whatever a certificate needs that
#           can be had before challenges are met)
#
# Every program publishes its file by a rename when it is complete, so that a
# file that is there is whole.  There is no .DELETE_ON_ERROR here: it could
# only remove a good certificate.

MAKEFLAGS += -rR --no-print-directory
SHELL     := /bin/sh
.SUFFIXES:
.PHONY: key csr order issue

genkey = sslm-genkey $(FLAGS) -o $@
csr    = sslm-csr -f $(@D:/next=)/request -k $(@D)/privkey.pem -o $@
sign   = sslm-sign $(FLAGS) -o $(@D) $<
order  = sslm-acme order -q $(FLAGS) -p $(@:order/%=certs/%)/curr $(@:order/%=certs/%)/next
finish = sslm-acme finish $(FLAGS) $(@D)
bundle = sslm-bundle $(@D)

# What a certificate waits for: nothing if its CA has a curr to sign with, else
# the CA's own next.
signer = $(if $(wildcard certs/$1/curr/cert.pem),,issue/$1)

SSLM_SITE := yes
DUE       := $(file < certs/.due)

key:   $(DUE:%=key/%)
csr:   $(DUE:%=csr/%)
order: $(DUE:%=order/%)
issue: $(DUE:%=issue/%)

# Once in a run for each CA, however many services it has.
account/%: ; @sslm-acme account -q -c $*

-include $(DUE:%=certs/%/Makefile)
