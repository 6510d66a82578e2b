# mk/site.mk - the phases over all services of a site.
#
# A site is a directory with conf.d/ and a Makefile that includes this:
#
#	MK := /usr/share/sslm/mk
#	include $(MK)/site.mk
#
# Reads:    MK (this directory), SERVICES ("group:service,service ..."; all if
#           empty), FORCE, REUSE, DRY, WAIT, V (any value: on), ROLL_MINS,
#           CLEAN_KEEP, TEST (the CAs' staging directories, in the test tree), TRY
#           (renew: the same, and nothing is kept), JOBS (steps at a time where -j
#           does not say it; 8),
#           DNS_WAIT (seconds for name servers to show a challenge; 1800),
#           PROBE_FLAGS (of sslm-probe, for probe); from
#           the environment SSLM_BIN (where the programs are)
# Provides: renew, roll, status, due, verify, probe, check-prod, conf, prod, deploy, prune,
#           dns, tidy, renew's steps one by one: keys or copy, csr, cert, ntoc; and help
#
# make itself can only say 0 or 2.  A run leaves what it would have said, as in
# every manual (0, 1, 2, 75), in certs/.exit; sslm-mgr hands that on.

MAKEFLAGS += -rR --no-print-directory
SHELL     := /bin/sh
MK        ?= certs/.mk

# `make' alone looks, and does nothing; a checkout builds.
ifeq ($(.DEFAULT_GOAL),)
.DEFAULT_GOAL := status
endif

# `make -n' shows what is due.  Lines with a make in them would run even so.
# The letters that make was given are the first word and have no dash; what a
# Makefile has appended, such as --no-print-directory, has.
ifneq ($(findstring n,$(filter-out -%,$(firstword $(MAKEFLAGS)))),)
DRY := 1
endif

JOBS     ?= 8
DNS_WAIT ?= 1800

LOOK     := status due verify probe check-prod
PHASES   := renew roll conf prod deploy prune dns tidy keys copy csr cert ntoc
.PHONY: $(LOOK) $(PHASES) help

# One run after the other, in `make -j4 renew roll' too: each of them takes the lock.
ifneq ($(filter $(PHASES),$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

# As it is written: a `$' in it is nothing to make.
export override SERVICES := $(value SERVICES)
export SSLM_MK := $(MK)
export PATH    := $(if $(SSLM_BIN),$(SSLM_BIN):)$(if $(filter /%,$(MK)),,$(CURDIR)/)$(MK)/../bin:$(PATH)

# A run is one shell that holds certs/.lock on descriptor 9, or 7 if make has its
# job server there.  Every step inherits it: killed or not, a run is over when its
# last process is gone, and leaves nothing that has to be cleaned up, but for the
# spool files of what it was writing: certs/.exit, empty while a run is at work,
# tells the next one.
# set -f: a '*' in SERVICES is a service name to us, not a file name.
define lock
set -uf; umask 077; \
[ -d certs ] || mkdir -m 755 certs || exit 75; \
if [ -L certs/.lock ] || { [ -e certs/.lock ] && [ ! -f certs/.lock ]; }; then \
	echo "sslm: 'certs/.lock' is not a regular file" >&2; exit 75; \
fi; \
if [ -z "$${SSLM_LOCKED-}" ]; then \
	case "$${MAKEFLAGS-} " in \
	*=9,*|*=[0-9]*,9\ *) fd=7; exec 7>>certs/.lock ;; \
	*) fd=9; exec 9>>certs/.lock ;; \
	esac; \
	flock $(if $(WAIT),,-n) $$fd || { \
		echo "sslm: another run is at work on this site" >&2; exit 75; }; \
fi
endef

define begin
$(lock); bad=0; quiet=; \
[ -n "$(V)" ] || [ -t 1 ] || quiet=-q; \
for f in .due .status .told .exit .want .ask .dns .seen .persist .deployed; do \
	if [ -L certs/$$f ] || { [ -e certs/$$f ] && [ ! -f certs/$$f ]; }; then \
		echo "sslm: 'certs/$$f' is not a regular file" >&2; exit 75; \
	fi; \
done; \
was=; [ ! -s certs/.exit ] || read -r was <certs/.exit; : >certs/.exit; \
[ "$$was" = 0 ] || find certs/ ! -type d -name '.*.new' -delete || bad=1; \
export SSLM_STATUS=certs/.status SSLM_TOLD=certs/.told; : >certs/.status; : >certs/.told
endef

# The rules, as they are reached from a tree below certs.
above := $(if $(filter /%,$(MK)),,../../)$(MK)

# With TEST or TRY the same is done in a tree below certs, a site of its own with
# the same conf.d; .staging tells the programs.  One run at a time all the same:
# challenges go to the same places.
ifneq ($(TEST)$(TRY),)
TREE    := certs/$(if $(TRY),.dry,.test)
in_tree  = SSLM_LOCKED=1 $(MAKE) -C $(TREE) -f '$(above)/site.mk' MK='$(above)' TEST= TRY=
# Nothing is kept but what is still published, for the next run to withdraw.
forget   = if [ -e $(TREE)/certs/.challenges ] || [ -e $(TREE)/certs/.push ]; then \
	find $(TREE)/certs -mindepth 1 -maxdepth 1 ! -name '.*' -exec rm -rf {} +; else rm -rf $(TREE); fi
$(LOOK):
	+@[ -d $(TREE)/conf.d ] || { echo "sslm: there is no test tree yet" >&2; exit 2; }; \
	$(in_tree) $@
$(PHASES):
	+@$(lock); \
	[ -z "$(TRY)" ] || [ ! -d $(TREE) ] || { $(in_tree) tidy && rm -rf $(TREE); } || exit 75; \
	mkdir -p $(TREE) && ln -sfn ../../conf.d $(TREE)/conf.d && : >$(TREE)/.staging || exit 75; \
	$(in_tree) $(if $(TRY),KEEP=no) $@; was=$$?; \
	cat $(TREE)/certs/.exit >certs/.exit 2>/dev/null || echo $$was >certs/.exit; \
	$(if $(TRY),$(forget),:); exit $$was
else

# The programs have noted their failures in certs/.status.
define end
[ $$bad -eq 0 ] && [ ! -s certs/.status ] && { echo 0 >certs/.exit; exit 0; }; \
case $$(cut -d' ' -f1 certs/.status | sort -u | tr '\n' ' ') in \
'2 ') bad=2 ;; '75 ') bad=75 ;; *) bad=1 ;; \
esac; \
echo $$bad >certs/.exit; exit $$bad
endef

# The files of the services in certs/.due, several at a time, for most of it is
# waiting; one that fails leaves the others.
make = $(MAKE) $(if $(V),,-s) $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS)) -k \
	-f "$$SSLM_MK/service.mk" SERVICES=

# What a restart_cmd has to say, for those who look on.
tell = if [ -n "$$quiet" ]; then sslm-dnspush -q >/dev/null; else sslm-dnspush -q; fi

# From certs/.due to complete sets: what is ordered is published for all services
# together, and shown by all name servers, before the CAs look.  A service whose
# challenges cannot be met leaves the list, and the others go on.
define obtain
$(make) order || bad=1; \
if [ -d certs/.acme ] || [ -e .staging ]; then \
	sslm-challenge -q -i certs/.due -o certs/.dns -p certs/.persist || bad=1; \
	wait="-w $(DNS_WAIT)"; \
	[ ! -e certs/.push ] || $(tell) || { bad=1; wait=; }; \
	: >certs/.seen; \
	[ ! -s certs/.dns ] || sslm-nscheck -s $$wait -o certs/.seen <certs/.dns || bad=1; \
	[ ! -s certs/.persist ] || { sslm-nscheck -s -o certs/.dns <certs/.persist || bad=1; \
	    cat certs/.dns >>certs/.seen; }; \
	sslm-challenge -r certs/.seen -i certs/.due -o certs/.due || bad=1; \
fi; \
[ ! -s certs/.due ] || $(make) issue || bad=1
endef

# Those that were due and have nothing to show for it; what has, is installed.
define summary
while read -r s; do \
	[ -e "certs/$$s/next/bundle.pem" ] || { echo "sslm: $$s is not renewed" >&2; bad=1; }; \
done <certs/.want
endef

# The name server is told of the zones that have changed.  What it serves now is
# waited for by whoever looks after that.
define push
pushed=; \
if [ -e certs/.push ]; then \
	if $(tell); then pushed="-w $(DNS_WAIT)"; else bad=1; fi; \
fi
endef

# The TLSA records of what is in use and of what is to come.
records = [ -n "$(KEEP)" ] || sslm-dane $$quiet -- $$SERVICES || bad=1

# Are they served?  From then on next waits for its roll.
look = [ -n "$(KEEP)" ] || sslm-dane -e $1 -- $$SERVICES || bad=1

# Whatever an earlier run could not withdraw, or tell the name server, too; also one
# in a tree below.
define withdraw
[ ! -e certs/.challenges ] || sslm-challenge -d -q || bad=1; \
$(push); \
for tree in .test .dry .certbot; do \
	if [ -e certs/$$tree/certs/.challenges ] || [ -e certs/$$tree/certs/.push ]; then \
		SSLM_LOCKED=1 $(MAKE) -C certs/$$tree -f '$(above)/site.mk' MK='$(above)' tidy || bad=1; \
	fi; \
done; \
[ ! -d certs/.dry ] || [ -e certs/.dry/certs/.challenges ] || [ -e certs/.dry/certs/.push ] || \
	rm -rf certs/.dry
endef

# A single step of a renewal, whatever is due, for who goes by hand.
define step
$(begin); : >certs/.due; \
sslm-conf -g -o certs/.due -m "$$SSLM_MK" -- $$SERVICES || bad=1; \
sslm-next $1 $(if $(FORCE),-f) $(if $(REUSE),-r) -i certs/.due -o certs/.due || bad=1; \
[ ! -s certs/.due ] || { $2; }; \
$(end)
endef

# Not if the site's own file is wrong, which has been said before this.
sound = { [ $$bad -eq 0 ] || sslm-conf -p clean_keep >/dev/null 2>&1; } && [ -z "$(KEEP)" ]

# $1: -c or -f to compare what is there, which a renewal has no need to.
install = $(sound) && { sslm-install $1 $$quiet -- $$SERVICES || bad=1; }

# Other machines get what is in production, and servers that depend on it are told; not
# of the test tree.  Which TLSA records there are follows from what servers were told:
# who depends on these alone comes after them.  $1: -f
part = ! { $(sound) && [ ! -e .staging ]; } || \
	sslm-deploy -o $1 $2 $$quiet -- $$SERVICES || bad=1
deploy = $(call part,cert,$1); $(records); $(call part,tlsa,$1)

# After a renewal, which has written the records: again, if servers were told of something.
told = told=$$(stat -c '%i %z' certs/.deployed 2>/dev/null)
again = was=$$told; $(told); [ "$$told" = "$$was" ] || { $(records); }

# What CAs want is asked for as often as they say, and then this once more.
due = sslm-due $(if $(FORCE),-f) $(if $(REUSE),-r) $$quiet -o certs/.due -w certs/.ask -- $$SERVICES

## renew: a next set for every service that is due; curr stays in use
ifdef DRY
renew keys copy csr cert: due
else
renew:
	+@$(begin); : >certs/.due; : >certs/.ask; : >certs/.want; \
	$(due); was=$$?; \
	if [ -s certs/.ask ]; then \
		sslm-acme window -q -i certs/.ask || bad=1; $(due); was=$$?; \
	fi; \
	[ $$was -lt 2 ] || bad=1; \
	if [ -s certs/.due ]; then \
		cp certs/.due certs/.want; \
		sslm-conf -g -i certs/.due -o certs/.due -m "$$SSLM_MK" || bad=1; \
		sslm-next $(if $(FORCE),-a,-f) $(if $(REUSE),-r) -i certs/.due -o certs/.due || bad=1; \
		$(obtain); \
	fi; \
	$(records); $(call install); $(told); $(call part,cert); $(again); $(call part,tlsa); \
	$(withdraw); $(call look,$$pushed); $(summary); $(end)

## keys: a new next, and its key
keys:
	+@$(call step,-a,$(make) key || bad=1)

## copy: a new next with the key of curr
copy:
	+@$(call step,-ar,$(make) key || bad=1)

## csr: the request of next
csr:
	+@$(call step,,$(make) csr || bad=1)

## cert: the certificate of next, and what goes with it
cert:
	+@$(call step,,$(obtain); $(records); $(withdraw))
endif

## roll: next becomes curr, where it may
roll:
ifdef DRY
	+@set -f; sslm-roll -n $(if $(FORCE),-f) $(if $(ROLL_MINS),-m $(ROLL_MINS)) -- $$SERVICES || \
	    [ $$? -eq 75 ]
else
	@$(begin); $(call look,-q); \
	sslm-roll $(if $(FORCE),-f) $(if $(ROLL_MINS),-m $(ROLL_MINS)) \
	    $(if $(CLEAN_KEEP),-k $(CLEAN_KEEP)) $$quiet -- $$SERVICES || bad=1; \
	$(call install,-c); $(deploy); $(push); $(end)
endif

## status: every certificate with its dates; V=1 for more
status:
	@set -f; sslm-status $(if $(V),-v) -- $$SERVICES

## due: which services want a renewal, and why; does nothing
due:
	+@set -f; sslm-due $(if $(FORCE),-f) $(if $(REUSE),-r) -- $$SERVICES || [ $$? -eq 1 ]

## verify: do the sets in use fit together, chains, names and dates?
verify:
	@set -f; bad=0; list=$$(sslm-conf -l -- $$SERVICES) || bad=2; \
	[ -z "$$list" ] || echo "$$list" | sed 's|.*|certs/&/curr|' | xargs sslm-verify || bad=1; \
	exit $$bad

## probe: do the servers show what their TLSA records say?
probe:
	@set -f; bad=0; list=$$(sslm-conf -l -- $$SERVICES) || bad=2; \
	files=$$(echo "$$list" | while IFS=/ read -r g s; do \
		[ ! -s "certs/$$g/$$s/curr/tlsa.rr" ] || [ ! -s "certs/$$g/tlsa.$$g" ] || \
			echo "certs/$$g/tlsa.$$g"; \
	done | sort -u); \
	if [ -z "$$files" ]; then \
		echo "no service has TLSA records in use"; \
	else \
		cat $$files | sslm-probe $(if $(V),-v) $(PROBE_FLAGS) -D - || bad=$$?; \
	fi; \
	exit $$bad

## check-prod: are production and its copies on other machines what certs has?
check-prod:
	@set -f; sslm-install -n -- $$SERVICES; bad=$$?; \
	[ -e .staging ] || sslm-deploy -c -- $$SERVICES || { was=$$?; [ $$bad -eq 1 ] || bad=$$was; }; \
	exit $$bad

## conf: check conf.d and write the generated files of every service
conf:
	@$(begin); sslm-conf -g -m "$$SSLM_MK" -- $$SERVICES || bad=1; $(end)

## ntoc: next becomes curr at once, here alone
ntoc:
	@$(begin); sslm-roll -f $$quiet -- $$SERVICES || bad=1; $(end)

## prod: bring what is missing to the production directory, and to other machines
prod:
	@$(begin); $(call install,-f); $(deploy); $(push); $(end)

## deploy: copy to other machines and reload servers where it has not been done yet
ifdef DRY
deploy:
	+@set -f; [ -e .staging ] || sslm-deploy -n $(if $(FORCE),-f) -- $$SERVICES
else
deploy:
	@$(begin); $(call deploy,$(if $(FORCE),-f)); $(push); $(end)
endif

## tidy: withdraw what an interrupted run has left published
tidy:
	+@$(begin); $(withdraw); $(end)

## dns: push the zones of these groups, and whatever has to be withdrawn
dns:
	+@$(begin); $(withdraw); \
	sslm-dnspush $$quiet -- $$(sslm-conf -l -- $$SERVICES | sed -n '/^ca\//!s|/.*||p' | sort -u) || bad=1; $(end)

## prune: remove old sets but for the newest CLEAN_KEEP
prune:
	@$(begin); sslm-roll -c $(if $(CLEAN_KEEP),-k $(CLEAN_KEEP)) -- $$SERVICES || bad=1; $(end)
endif

## help: this list
help:
	@sed -n 's/^\([a-z-]*\):.*## */\1	/p; s/^## \([a-z-]*\): */\1	/p' $(MAKEFILE_LIST) | sort
