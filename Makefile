# Makefile of smartcar_tesla, on PGXS.
#
#   make                    build against the PostgreSQL of pg_config
#   make install            install it
#   make installcheck       run the regression tests on a running server
#   make tapcheck           run the TAP tests on servers of their own (not as root)
#   make check-version      compare the places that hold the version or the address
#   make dist               make the archive of a release for PGXN; with DRAFT=yes
#                           also of what may not be released yet, for tests
#   make format             indent the sources as PostgreSQL does
#
# PG_CONFIG=/path/to/pg_config chooses another PostgreSQL.

EXTENSION = smartcar_tesla
MODULE_big = smartcar_tesla
PGFILEDESC = "smartcar_tesla - Smartcar's Tesla integration in SQL"

# The control file is the one source of the version.
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" smartcar_tesla.control)
EXTENSION_SCRIPT = smartcar_tesla--$(EXTVERSION).sql

OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*/*.c)))

DATA_built = $(EXTENSION_SCRIPT)
# from one release to the next
DATA = $(sort $(wildcard src/update/smartcar_tesla--*--*.sql))

# The manual is a tree whose pages link to each other, so it is installed as one,
# and not by DOCS, which would put all files into a folder that other extensions
# use, too.
MANUAL = README.md CHANGELOG.md SECURITY.md LICENSE $(wildcard CONTRIBUTING.md doc/*.md doc/how-to/*.md doc/images/*)

REGRESS = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
REGRESS_OPTS = --encoding=UTF8 --no-locale --load-extension=smartcar_tesla

PROVE_TESTS = $(sort $(wildcard test/t/*.pl))

PG_CONFIG ?= pg_config
PKG_CONFIG ?= pkg-config

# Name the package that is missing, before the compiler fails on its header.
ifeq ($(shell command -v $(PG_CONFIG)),)
$(error $(PG_CONFIG) not found: install the server headers (Debian: postgresql-server-dev-15 or that of your version), or set PG_CONFIG)
endif
PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(wildcard $(PGXS)),)
$(error $(PGXS) not found: install the server headers (Debian: postgresql-server-dev-15 or that of your version))
endif
ifeq ($(shell command -v $(PKG_CONFIG)),)
$(error $(PKG_CONFIG) not found: install it (Debian: pkg-config))
endif
ifneq ($(shell $(PKG_CONFIG) --exists 'libcurl >= 7.68' && echo yes),yes)
$(error libcurl 7.68 or later not found: install its headers (Debian: libcurl4-openssl-dev))
endif
ifneq ($(shell $(PKG_CONFIG) --exists 'libcrypto >= 3.0' && echo yes),yes)
$(error OpenSSL 3.0 or later not found: install its headers (Debian: libssl-dev))
endif

# All warnings but four.  PostgreSQL's headers have unused parameters and compare signed
# with unsigned values; clang warns of tables that name only the fields that they set;
# and PostgreSQL's own flags warn of declarations between statements, which C99 allows.
PG_CPPFLAGS = -I$(srcdir)/src -DSMARTCAR_TESLA_VERSION='"$(EXTVERSION)"' \
	$(shell $(PKG_CONFIG) --cflags libcurl libcrypto)
PG_CFLAGS = -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-declaration-after-statement $(WERROR)
SHLIB_LINK += $(shell $(PKG_CONFIG) --libs libcurl libcrypto)

# Calls within the library stay within it, whatever else is loaded.
SHLIB_LINK += $(if $(filter darwin win32,$(PORTNAME)),,-Wl,-Bsymbolic-functions)

EXTRA_CLEAN = smartcar_tesla--*.sql smartcar_tesla-*.zip results regression.diffs regression.out tmp_check

include $(PGXS)

$(EXTENSION_SCRIPT): src/smartcar_tesla.sql smartcar_tesla.control
	cp $< $@

# Every object is built again when a header changes; there are few of them.
$(OBJS): $(wildcard $(srcdir)/src/*/*.h) smartcar_tesla.control

# in quotes, because docdir may have spaces
manual_directory = '$(DESTDIR)$(docdir)/extension/smartcar_tesla'

install: install-manual
uninstall: uninstall-manual

.PHONY: install-manual uninstall-manual
install-manual:
	for folder in $(sort $(dir $(MANUAL))); do \
		$(MKDIR_P) $(manual_directory)/$$folder || exit; \
	done
	for page in $(MANUAL); do \
		$(INSTALL_DATA) '$(srcdir)'/$$page $(manual_directory)/$$page || exit; \
	done

uninstall-manual:
	rm -rf $(manual_directory)

.PHONY: tapcheck check-version dist format format-check
# Not part of installcheck, because initdb does not run as root.
tapcheck:
	$(prove_installcheck)

COMMIT = HEAD
ARCHIVE = smartcar_tesla-$(EXTVERSION).zip

dist:
	$(srcdir)/tools/version.sh $(if $(DRAFT),,--release)
	$(srcdir)/tools/address.sh $(if $(DRAFT),,--release)
	git archive --format=zip --prefix=smartcar_tesla-$(EXTVERSION)/ --output=$(ARCHIVE) $(COMMIT)

check-version:
	$(srcdir)/tools/version.sh
	$(srcdir)/tools/address.sh

format:
	$(srcdir)/tools/format.sh --write

format-check:
	$(srcdir)/tools/format.sh
