# Everything that is needed beside Go, git, make and a C compiler is built from
# pinned Go modules (tools/) into .cache/bin.

BIN := $(CURDIR)/.cache/bin

# The crossplane CLI on the PATH is used if it can render with a Crossplane binary
# (2.3 or later) instead of a container.
CROSSPLANE := $(shell command -v crossplane >/dev/null && crossplane render --help 2>/dev/null | grep -q -e --crossplane-binary && command -v crossplane || echo $(BIN)/crossplane)
CORE := $(BIN)/crossplane-core

EXAMPLE ?= example/basic
FUZZTIME ?= 30s

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this help.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ What users run

.PHONY: render
render: $(BIN)/function $(CROSSPLANE) $(CORE) ## Render EXAMPLE (default example/basic) with the real Crossplane.
	@go run ./test/render -cli=$(CROSSPLANE) $(EXAMPLE)

.PHONY: test
test: $(BIN)/function $(BIN)/crossplane $(CORE) ## Run all tests but those of make e2e.
	go test -race -count=1 ./...

##@ What developers run

.PHONY: generate
generate: $(BIN)/controller-gen $(BIN)/crd2xrd ## Generate deep copies, the Input's CRD and the XRD.
	rm -rf package/input .cache/crd
	$(BIN)/controller-gen paths=./apis/... paths=./input/... object
	$(BIN)/controller-gen paths=./input/... crd output:crd:dir=package/input
	$(BIN)/controller-gen paths=./apis/... crd output:crd:dir=.cache/crd
	$(BIN)/crd2xrd -composition dittoserver <.cache/crd/dittofs.io_dittoservers.yaml >example/xrd.yaml

.PHONY: update-golden
update-golden: $(BIN)/function $(BIN)/crossplane $(CORE) ## Accept what the tests render now as what they expect.
	go test -count=1 ./test/render ./internal/manifests -update

.PHONY: lint
lint: $(BIN)/golangci-lint ## Lint.
	$(BIN)/golangci-lint run

.PHONY: fmt
fmt: $(BIN)/golangci-lint ## Format.
	$(BIN)/golangci-lint fmt

.PHONY: bench
bench: ## Measure the function.
	go test -run='^$$' -bench=. -benchmem .

.PHONY: fuzz
fuzz: ## Fuzz each decoder for FUZZTIME (default 30s).
	@for f in $$(grep -ho '^func Fuzz[A-Za-z]*' *_test.go | cut -d' ' -f2); do go test -run='^$$' -fuzz="^$$f$$" -fuzztime=$(FUZZTIME) . || exit 1; done

.PHONY: tidy
tidy: ## Tidy all modules.
	@for m in $$(git ls-files --cached --others --exclude-standard '*go.mod'); do (cd $$(dirname $$m) && go mod tidy) || exit 1; done

.PHONY: check-diff
check-diff: generate tidy ## Fail if generated files or modules are not up to date.
	@git diff --exit-code --stat || { echo 'Not up to date: run make generate tidy, and commit.' >&2; exit 1; }

.PHONY: clean
clean: ## Remove what was built.
	rm -rf .cache

# What is built

SOURCES := $(shell find . -name '*.go' -not -path './tools/*' -not -path './test/*' -not -name '*_test.go')

$(BIN)/function: $(SOURCES) go.mod go.sum
	@echo 'Building the function (under a minute the first time)'
	@CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o $@ .

# $(call tool,BINARY,MODULE under tools/,PACKAGE,TIME,FLAGS)
define tool
$(BIN)/$(1): tools/$(2)/go.mod tools/$(2)/go.sum
	@echo 'Building $(1) from its Go module ($(4) the first time)'
	@go -C tools/$(2) build $(5) -o $$@ $(3)
endef

$(eval $(call tool,crossplane,crossplane,github.com/crossplane/cli/v2/cmd/crossplane,about three minutes))
$(eval $(call tool,crossplane-core,crossplane,github.com/crossplane/crossplane/v2/cmd/crossplane,about a minute))
$(eval $(call tool,golangci-lint,lint,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,about a minute))
$(eval $(call tool,controller-gen,generate,sigs.k8s.io/controller-tools/cmd/controller-gen,under a minute))
$(eval $(call tool,crd2xrd,generate,./crd2xrd,a moment))

$(BIN)/crd2xrd: tools/generate/crd2xrd/main.go
