# mk/install.mk - where the parts go.
#
# Reads:    DESTDIR, PREFIX, PROGS, BIN, SCRIPTS (in bin/)
# Provides: install, uninstall
#
# PREFIX/share/sslm/bin leads to PREFIX/bin, so that the rules find the
# programs as they do in a checkout: beside them.

PREFIX  ?= /usr/local
SHARE   := $(PREFIX)/share/sslm
MAN     := $(PREFIX)/share/man
RULES   := site.mk service.mk alone.mk
PAGES   := $(notdir $(wildcard doc/*.[1-8]))
EXAMPLE := $(shell find conf.d -type f)
ZONES   := $(wildcard doc/examples/zones/*)
INSTALL ?= install

# file in mk/completions, and where it goes below share
SHELLS := sslm-mgr.bash=bash-completion/completions/sslm-mgr \
          _sslm-mgr=zsh/site-functions/_sslm-mgr \
          sslm-mgr.fish=fish/vendor_completions.d/sslm-mgr.fish

.PHONY: install uninstall
install: all		## put programs, rules and manuals under $(DESTDIR)$(PREFIX)
	$(INSTALL) -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(SHARE)/mk'
	$(INSTALL) -m 755 $(PROGS:%=$(BIN)/%) $(SCRIPTS:%=bin/%) '$(DESTDIR)$(PREFIX)/bin'
	$(INSTALL) -m 644 $(RULES:%=mk/%) '$(DESTDIR)$(SHARE)/mk'
	ln -sfn ../../bin '$(DESTDIR)$(SHARE)/bin'
	for p in $(PAGES); do \
	    $(INSTALL) -D -m 644 "doc/$$p" '$(DESTDIR)$(MAN)'"/man$${p##*.}/$$p" || exit 1; done
	for f in $(EXAMPLE); do \
	    $(INSTALL) -D -m 644 "$$f" '$(DESTDIR)$(SHARE)'"/examples/$$f" || exit 1; done
	$(INSTALL) -d '$(DESTDIR)$(SHARE)/examples/zones'
	$(INSTALL) -m 644 $(ZONES) '$(DESTDIR)$(SHARE)/examples/zones'
	chmod 755 '$(DESTDIR)$(SHARE)'/examples/zones/resign-*
	for f in $(notdir $(wildcard doc/examples/sslm*)); do \
	    $(INSTALL) -D -m 644 "doc/examples/$$f" '$(DESTDIR)$(SHARE)'"/examples/$$f" || exit 1; done
	for c in $(SHELLS); do \
	    $(INSTALL) -D -m 644 "mk/completions/$${c%%=*}" '$(DESTDIR)$(PREFIX)/share'"/$${c#*=}" || exit 1; done

uninstall:		## remove what install put there
	cd '$(DESTDIR)$(PREFIX)/bin' && rm -f $(PROGS) $(SCRIPTS)
	for p in $(PAGES); do rm -f '$(DESTDIR)$(MAN)'"/man$${p##*.}/$$p"; done
	for c in $(SHELLS); do rm -f '$(DESTDIR)$(PREFIX)/share'"/$${c#*=}"; done
	rm -rf '$(DESTDIR)$(SHARE)'
