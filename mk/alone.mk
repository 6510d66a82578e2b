# mk/alone.mk - what a service's own Makefile offers when it is used by hand, in
# certs/<group>/<service>: the phases of the whole site, for this service.
#
# Reads:    S (group/service, set by the Makefile that includes this), and what
#           mk/site.mk reads (FORCE, REUSE, V ...)
# Provides: next, roll, status, due

SHELL := /bin/sh
ONE := $S

.PHONY: next roll status due
next:	PHASE := renew
roll:	PHASE := roll
status:	PHASE := status
due:	PHASE := due
next roll status due:
	@$(MAKE) -rR --no-print-directory -C ../../.. -f certs/.mk/site.mk MK=certs/.mk $(PHASE) SERVICES=$(ONE)
