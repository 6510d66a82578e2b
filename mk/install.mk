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
RULES   := site.mk service.mk alone.mk common.sh
PAGES   := $(notdir $(wildcard doc/*.[1-8]))
ZONES   := $(wildcard doc/examples/zones/*)
INSTALL ?= install

# The sample site by name: a checkout is a site too, and what somebody has put into
# conf.d is not for all to read.
EXAMPLE := $(addprefix conf.d/,ssl-mgr.conf ca-info.conf ca/my-root ca/my-int \
	example.com/web-ec example.com/mail-ec)

# file in mk/completions, and where it goes below share
SHELLS := sslm-mgr.bash=bash-completion/completions/sslm-mgr \
          _sslm-mgr=zsh/site-functions/_sslm-mgr \
          sslm-mgr.fish=fish/vendor_completions.d/sslm-mgr.fish

# Directories that are not there yet are noted in SHARE/made, those above first, and are
# taken away by uninstall.  Not below DESTDIR: a package has its own list.
DIRS := bin share/sslm $(addprefix share/,man/man1 man/man5 man/man7 \
	bash-completion/completions zsh/site-functions fish/vendor_completions.d)
made = $(if $(DESTDIR),:,for d in $(DIRS); do \
	d='$(PREFIX)'/$$d; \
	while [ "$$d" ] && [ ! -d "$$d" ]; do echo "$$d"; d=$${d%/*}; done; done | sort -u)

.PHONY: install uninstall
install: all		## put programs, rules and manuals under $(DESTDIR)$(PREFIX)
	@case '$(PREFIX)' in /*) ;; *) echo "PREFIX '$(PREFIX)' is not an absolute path" >&2; exit 2 ;; esac
	@umask 022; new=$$($(made)); $(INSTALL) -d '$(DESTDIR)$(SHARE)' || exit 1; \
	[ -z "$$new" ] || printf '%s\n' "$$new" >>'$(SHARE)/made'
	$(INSTALL) -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(SHARE)/mk'
	$(INSTALL) -m 755 $(PROGS:%=$(BIN)/%) $(SCRIPTS:%=bin/%) '$(DESTDIR)$(PREFIX)/bin'
	$(INSTALL) -m 644 $(RULES:%=mk/%) '$(DESTDIR)$(SHARE)/mk'
	ln -sfn ../../bin '$(DESTDIR)$(SHARE)/bin'
	for p in $(PAGES); do \
	    sed 's,/usr/local/\(bin\|share\)/,$(PREFIX)/\1/,' "doc/$$p" | $(INSTALL) -D -m 644 /dev/stdin \
	    '$(DESTDIR)$(MAN)'"/man$${p##*.}/$$p" || exit 1; done
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
	for p in $(PROGS) $(SCRIPTS); do rm -f '$(DESTDIR)$(PREFIX)/bin/'"$$p"; done
	for p in $(PAGES); do rm -f '$(DESTDIR)$(MAN)'"/man$${p##*.}/$$p"; done
	for c in $(SHELLS); do rm -f '$(DESTDIR)$(PREFIX)/share'"/$${c#*=}"; done
	@new=$$(sort -r '$(DESTDIR)$(SHARE)/made' 2>/dev/null); rm -rf '$(DESTDIR)$(SHARE)'; \
	printf '%s\n' "$$new" | while read -r d; do rmdir "$$d" 2>/dev/null || :; done
