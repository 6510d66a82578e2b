# mk/package.mk - the sources in one file, and packages made of them.
#
# Reads:    SCRIPTS, O; DEBFULLNAME and DEBEMAIL (who has made the package);
#           EXAMPLE (the sample site, all that is taken of conf.d); SOURCE_DATE_EPOCH
#           (seconds; else the time of the last commit, or now)
# Provides: dist (build/sslm-VERSION.tar.gz), deb (build/deb/sslm_VERSION_ARCH.deb)
#
# mk/deb is the directory debian/ of the package, but for its changelog and what is
# filled in below; mk/arch/PKGBUILD takes the file that dist makes.

VERSION  := $(shell sed -n 's/.*SSLM_VERSION "\(.*\)"/\1/p' src/sslm.h)
NAME     := sslm-$(VERSION)
SOURCES  := Makefile src mk tests doc LICENSE README.md CHANGELOG.md CONTRIBUTING.md \
            .ci .clang-format .clang-tidy .editorconfig .gitignore .shellcheckrc
EPOCH    := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null || date +%s))
PACKAGER := $(or $(DEBFULLNAME),the authors of sslm) <$(or $(DEBEMAIL),sslm@localhost.localdomain)>

.PHONY: dist deb
dist:			## the sources as build/sslm-VERSION.tar.gz
	rm -rf '$O/$(NAME)' && mkdir -p '$O/$(NAME)/bin'
	cp -R $(SOURCES) '$O/$(NAME)/' && cp $(SCRIPTS:%=bin/%) '$O/$(NAME)/bin/'
	cp --parents $(EXAMPLE) '$O/$(NAME)/'
	find '$O/$(NAME)' -name __pycache__ -prune -exec rm -rf {} +
	tar -C '$O' --sort=name --owner=0 --group=0 --numeric-owner --mode=u+rw,go=rX --mtime=@$(EPOCH) \
	    -cf - '$(NAME)' | gzip -n >'$O/$(NAME).tar.gz'

deb: export PACKAGER := $(PACKAGER)
deb: dist		## a Debian package in build/deb
	rm -rf '$O/deb' && mkdir -p '$O/deb' && mv '$O/$(NAME)' '$O/deb/'
	cd '$O/deb/$(NAME)' && cp -R mk/deb debian && cp doc/examples/sslm.logrotate debian/ && \
	    sed -i "s|@MAINTAINER@|$$(printf %s "$$PACKAGER" | sed 's/[&|\\]/\\&/g')|" debian/control && \
	    { sed '/@LICENSE@/,$$d' mk/deb/copyright && sed 's/^$$/./; s/^/ /' LICENSE; } >debian/copyright && \
	    printf 'sslm (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n' '$(VERSION)' \
	    "$$PACKAGER" "$$(LC_ALL=C date -u -R -d @$(EPOCH))" >debian/changelog && \
	    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u BIN -u O dpkg-buildpackage -us -uc -b
