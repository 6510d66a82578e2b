# mk/build.mk - how src/*.c becomes the programs in $(BIN).
#
# Reads:    PROGS (programs, src/NAME.c each), SHARED (modules in the archive),
#           LIBS-NAME (libraries of one program besides libcrypto), CC, CFLAGS,
#           CPPFLAGS, LDFLAGS, BIN, O (objects), V (1: show the commands).
# Provides: all, and a rule for each program.
#
# CFLAGS is the user's; what the code needs and what hardens it is added.

# -R, which the certificate rules want, takes make's own idea of these away.
ifneq ($(filter default undefined,$(origin CC)),)
CC      := cc
endif
ifneq ($(filter default undefined,$(origin AR)),)
AR      := ar
endif
O       ?= build
BIN     ?= bin
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
           -Wmissing-prototypes -Wwrite-strings -Wformat=2
HARDEN  := -fPIE -fstack-protector-strong -fstack-clash-protection
FORTIFY := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
LINK    := -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed
COMPILE  = $(CC) -std=c11 -D_GNU_SOURCE $(WARN) $(HARDEN) $(FORTIFY) -MMD -MP $(CPPFLAGS) $(CFLAGS)
LINKING  = $(CC) $(HARDEN) $(CFLAGS) $(LINK) $(LDFLAGS)

# A word for each file, or the whole command with V=1.
Q       := $(if $(V),,@)
say      = $(if $(V),,@echo '  $1')

all: $(PROGS:%=$(BIN)/%)
$(BIN)/%: $O/%.o $O/shared.a $O/flags | $(BIN)
	$(call say,link $@)
	$(Q)$(LINKING) -o $@ $(filter %.o %.a,$^) -lcrypto -lidn2 $(LIBS-$*)
$O/shared.a: $(SHARED:%=$O/%.o)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$O/%.o: src/%.c $O/flags | $O
	$(call say,cc $<)
	$(Q)$(COMPILE) -c -o $@ $<
$(BIN) $O:
	mkdir -p $@

# Has make been given the letter n?  What has a dash was appended by a Makefile.
ONLY_SHOW := $(findstring n,$(filter-out -%,$(firstword $(MAKEFLAGS))))

# Other flags make other objects.  Compared while reading, so that `make -n'
# and a second run both say that nothing is to be done.
ifneq ($(file < $O/flags),$(COMPILE) $(LINKING))
$O/flags: FORCE
endif
# Expanding the recipe writes the file, and make -n expands it too.
$O/flags: | $O
	$(if $(ONLY_SHOW),,$(file > $@,$(COMPILE) $(LINKING)))@:

.SECONDARY:
-include $(wildcard $O/*.d)
