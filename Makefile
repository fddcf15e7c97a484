# Every target is a script in tools/, which says what it does.
.DEFAULT_GOAL := help
.PHONY: help run build test test-matrix torture bench lint images clean clean-cache

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 14

run: ## Dovecot under pidgeon in the foreground, here, without Docker
	@exec tools/run.sh

build: ## ./pidgeon
	@exec tools/build.sh

test: ## everything: style, tests against Dovecot 2.3 and 2.4, images
	@exec tools/test.sh

test-matrix: ## the Go tests on Dovecot 2.3.13, 2.3.19, 2.4.1 and 2.4.5
	@exec tools/test.sh matrix

torture: ## hundreds of bad overrides, full disks, kills: half an hour, and a table
	@exec tools/torture.sh

bench: ## sessions, logins, starts and changes beside others: half an hour, and tables
	@exec tools/bench.sh

lint: ## style and static checks alone
	@exec tools/test.sh lint

images: ## pidgeon:bookworm and pidgeon:trixie
	@exec tools/images.sh

clean: ## what was made in the clone, the demo's mail included
	rm -rf pidgeon .pidgeon

clean-cache: ## the root file systems that the tests made, for all clones
	@exec tools/rootfs.sh clean
