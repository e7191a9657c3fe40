# Everything that is needed beside Go, git, make and a C compiler is built from
# pinned Go modules (tools/) into .cache/bin.

BIN := $(CURDIR)/.cache/bin

# One set of flags for all that is built, so that what programs share is compiled once.
# They run without any library, also in images made from scratch.
export CGO_ENABLED := 0
export GOFLAGS += -trimpath

# The crossplane CLI on the PATH is used if it can render with a Crossplane binary
# (2.3 or later) instead of a container. Else it is a part of it, as all of it takes
# minutes to build, and so does all of Crossplane.
CLI := $(shell command -v crossplane >/dev/null && crossplane operation render --help 2>/dev/null | grep -q -e --crossplane-binary && command -v crossplane || echo $(BIN)/render)
CORE := $(BIN)/crossplane-core
RECONCILE := $(BIN)/reconcile

# make cluster and make e2e run the newest Crossplane, or another one that tools/ has a
# module for.
NEWEST := 2.4.0
CROSSPLANE ?= $(NEWEST)
OTHERS := $(patsubst tools/crossplane-%/go.mod,%,$(wildcard tools/crossplane-*/go.mod))
ifneq ($(CROSSPLANE),$(NEWEST))
ifeq ($(filter $(CROSSPLANE),$(OTHERS)),)
$(error CROSSPLANE is $(CROSSPLANE), but must be one of $(NEWEST) $(OTHERS))
endif
endif

CONTROLPLANE := $(addprefix $(BIN)/,etcd kube-apiserver kube-controller-manager kubectl)

# What runs on the node that make cluster brings up, and in it.
CLUSTER := $(CONTROLPLANE) $(if $(filter $(CROSSPLANE),$(OTHERS)),$(BIN)/crossplane-$(CROSSPLANE),$(CORE)) $(addprefix $(BIN)/,kubelet kube-scheduler kube-proxy coredns csi-provisioner csi-resizer dfs dfsctl crossplane)

XPKG := $(CURDIR)/.cache/xpkg/function-dittoserver
CONFIGURATION := $(CURDIR)/.cache/xpkg/configuration-dittoserver
ARCHS ?= amd64 arm64

# Where the Configuration looks for the function, and the least version of it.
# Crossplane names a function that it installs for a Configuration after its
# repository.
REGISTRY ?= ghcr.io/dittofs
VERSION ?= v0.1.0
FUNCTION := $(subst /,-,$(patsubst $(firstword $(subst /, ,$(REGISTRY)))/%,%,$(REGISTRY)))-function-dittoserver

EXAMPLE ?= example/basic
FUZZTIME ?= 30s
LOAD ?= 60s
ROUNDS ?= 40
SIZES ?= 100 300 1000
IDLE ?= 5m
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# As root, with this user's Go.
AS_ROOT = $(if $(SUDO),sudo env PATH='$(PATH)' GOMODCACHE='$(shell go env GOMODCACHE)' CI='$(CI)')

TEST_CLUSTER := $(if $(filter command,$(firstword $(origin KUBECONFIG))),$(abspath $(KUBECONFIG)))

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this help.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ What users run

.PHONY: render
render: $(BIN)/function $(CLI) $(RECONCILE) ## Render EXAMPLE (default example/basic) with the real Crossplane.
	@go run ./test/render -cli=$(CLI) -core=$(RECONCILE) $(EXAMPLE)

# What goes through states at random does one thing at a time, and the race detector would
# make it five times as slow.
AT_RANDOM := ^TestAny(State|Sequence)$$

.PHONY: test
test: $(BIN)/function $(BIN)/crossplane $(BIN)/render $(RECONCILE) $(CORE) $(BIN)/dfs $(BIN)/dfsctl ## Run all tests but those of make e2e.
	@for p in bwrap:bubblewrap nfs-cp:libnfs-utils psql:postgresql; do command -v $${p%:*} >/dev/null || \
	echo "Without $${p#*:} tests on the real server are skipped. On Debian, make debian-packages installs it"; done
	CGO_ENABLED=1 go test -race -count=1 -timeout=30m -skip='$(AT_RANDOM)' ./...
	go test -count=1 -run='$(AT_RANDOM)' .
	go -C test/gitops test -count=1 ./...
	go -C test/monitoring test -count=1 ./...

# Many shells have KUBECONFIG set to a cluster that is not meant for tests, so that of
# the environment does not count.
.PHONY: e2e
e2e: $(BIN)/cluster $(CLUSTER) $(BIN)/kwok xpkg ## Test on a real node, as make cluster runs one, or in the cluster of KUBECONFIG=FILE.
	@go -C test/e2e test -c -o $(BIN)/e2e.test .
	cd test/e2e && $(if $(TEST_CLUSTER),KUBECONFIG=$(TEST_CLUSTER),env -u KUBECONFIG $(AS_ROOT)) $(BIN)/e2e.test -test.timeout=40m -test.v -crossplane=$(CROSSPLANE) -crossplane-args='$(CROSSPLANE_ARGS)' $(if $(KEEP),-keep) $(if $(TIMES),-times=$(TIMES)) $(if $(SERVERS),-servers=$(SERVERS)) $(if $(WAVES),-waves='$(WAVES)') $(if $(RUN),-test.run='$(RUN)')

.PHONY: xpkg
xpkg: $(ARCHS:%=$(XPKG)-%.xpkg) $(CONFIGURATION).xpkg ## Build the function for each of ARCHS, and the Configuration for REGISTRY, into .cache/xpkg.

.PHONY: cluster
cluster: $(BIN)/cluster $(CLUSTER) xpkg ## Run a cluster of one node on this machine, with Crossplane and the function in it. Needs Linux, and root.
	@$(AS_ROOT) $(BIN)/cluster up $(CURDIR) -crossplane=$(CROSSPLANE) $(CROSSPLANE_ARGS:%=-crossplane-arg=%)

.PHONY: cluster-down
cluster-down: $(BIN)/cluster ## End what make cluster runs, and remove all that it has made.
	@$(AS_ROOT) $(BIN)/cluster down $(CURDIR)

.PHONY: cluster-packages
cluster-packages: ## Install the Debian packages that make cluster and make e2e use: containerd, tools for networks, clients and servers.
	@missing=$$(for p in containerd:containerd runc:runc ip:iproute2 nft:nftables mkfs.xfs:xfsprogs smbclient:smbclient nfs-cp:libnfs-utils psql:postgresql \
		krb5kdc:krb5-kdc kadmin.local:krb5-admin-server kinit:krb5-user slapd:slapd samba:samba-ad-dc /usr/share/samba/setup:samba-ad-provision \
		/usr/lib/cni/ptp:containernetworking-plugins; do command -v $${p%:*} >/dev/null || [ -e $${p%:*} ] || echo $${p#*:}; done); \
	if [ -n "$$missing" ]; then $(SUDO) apt-get update -q && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; fi

.PHONY: debian-packages
debian-packages: ## Install the Debian packages that make test uses: a sandbox, PostgreSQL, an NFS client.
	@missing=$$(for p in bubblewrap postgresql libnfs-utils; do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done); \
	if [ -n "$$missing" ]; then $(SUDO) apt-get update -q && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; fi

##@ What developers run

.PHONY: build
build: $(BIN)/function ## Build the function.

.PHONY: generate
generate: $(BIN)/controller-gen $(BIN)/crd2xrd ## Generate deep copies, the Input's CRD and the XRD.
	rm -rf package/input .cache/crd
	$(BIN)/controller-gen paths=./apis/... paths=./input/... object
	$(BIN)/controller-gen paths=./input/... crd output:crd:dir=package/input
	$(BIN)/controller-gen paths=./apis/... crd output:crd:dir=.cache/crd
	$(BIN)/crd2xrd -composition dittoserver <.cache/crd/dittofs.io_dittoservers.yaml >example/xrd.yaml

.PHONY: update-golden
update-golden: $(BIN)/function $(BIN)/crossplane $(BIN)/render $(RECONCILE) $(CORE) ## Accept what the tests render now as what they expect.
	go test -count=1 . ./test/render ./test/dittofs ./test/serve ./internal/manifests -update

# What it remembers has paths of the clone in it, and misleads it in another one.
lint fmt: export GOLANGCI_LINT_CACHE = $(CURDIR)/.cache/golangci-lint
lint: export GOGC = 800

.PHONY: lint
lint: $(BIN)/golangci-lint ## Lint all modules that have code.
	@for m in . test/cluster test/e2e test/gitops test/monitoring tools/cluster tools/crossplane tools/generate tools/image tools/vulncheck; do echo "golangci-lint run ($$m)"; (cd $$m && $(BIN)/golangci-lint run) || exit 1; done

.PHONY: fmt
fmt: $(BIN)/golangci-lint ## Format.
	$(BIN)/golangci-lint fmt

.PHONY: bench
bench: $(BIN)/function $(BIN)/echo $(XPKG)-amd64.xpkg ## Measure the function beside one that does nothing, in ROUNDS (default 40). WRITE=1 puts it into the README.
	go test ./test/bench -count=1 -run='^TestSpeed$$' -v -rounds=$(ROUNDS) $(if $(WRITE),-write)

.PHONY: scale
scale: $(BIN)/cluster $(CLUSTER) $(BIN)/kwok xpkg ## Measure SIZES (default "100 300 1000") of DittoServers on one Crossplane, and IDLE (default 5m) of nothing. WRITE=1 puts it into the README.
	@go -C test/e2e test -c -o $(BIN)/e2e.test .
	cd test/e2e && env -u KUBECONFIG $(AS_ROOT) $(BIN)/e2e.test -test.timeout=3h -test.v -test.run='^TestScale$$' -crossplane=$(CROSSPLANE) -crossplane-args='$(CROSSPLANE_ARGS)' -sizes='$(SIZES)' -idle=$(IDLE) $(if $(KEEP),-keep) $(if $(WRITE),-write)

.PHONY: load
load: ## Keep two replicas busy for LOAD (default 60s), and renew their certificates and kill one of them meanwhile.
	go test ./test/load -count=1 -run='^TestLoad$$' -v -load=$(LOAD)

.PHONY: fuzz
fuzz: ## Fuzz each decoder for FUZZTIME (default 30s).
	@grep -r --include='*_test.go' -o '^func Fuzz[A-Za-z]*' . | sed 's|/[^/]*:func | |' | while read -r dir f; do \
	go test -run='^$$' -fuzz="^$$f$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=10x "$$dir" || exit 1; done

.PHONY: vulncheck
vulncheck: $(BIN)/vulncheck ## Look for known vulnerabilities in the function, with ALL=1 also in tests and tools. VULNDB=https://vuln.go.dev asks for the newest.
	@go -C tools/vulncheck test ./...
	@$(BIN)/vulncheck $(if $(VULNDB),-db=$(VULNDB)) $(if $(ALL),-all) $(CURDIR)

.PHONY: tidy
tidy: ## Tidy all modules but those that CI does not build.
	@for m in $$(git ls-files --cached --others --exclude-standard '*go.mod' ':!tools/crossplane-*' ':!tools/cosign'); do (cd $$(dirname $$m) && go mod tidy) || exit 1; done

.PHONY: check-diff
check-diff: generate tidy ## Fail if generated files or modules are not up to date.
	@git diff --exit-code --stat || { echo 'Not up to date: run make generate tidy, and commit.' >&2; exit 1; }

.PHONY: clean
clean: ## Remove what was built.
	rm -rf .cache

# What is built

SOURCES := $(shell find . -path ./.cache -prune -o -name '*.go' -not -path './tools/*' -not -path './test/*' -not -path './internal/functest/*' -not -name '*_test.go' -print)

$(BIN)/function: $(SOURCES) go.mod go.sum
	@echo 'Building the function (under a minute the first time)'
	@GOGC=800 go build -ldflags='-s -w' -o $@ .

$(BIN)/echo: $(SOURCES) test/echo/main.go go.mod go.sum
	@go build -ldflags='-s -w' -o $@ ./test/echo

$(BIN)/cluster: $(wildcard test/cluster/*) $(wildcard internal/functest/host/*.go) internal/dittofs/contract.go
	@echo 'Building the cluster (a minute the first time)'
	@go -C test/cluster build -ldflags='-s -w' -o $@ .

$(XPKG)-%.xpkg: $(SOURCES) go.mod go.sum $(shell find package -type f) $(BIN)/image $(BIN)/crossplane
	@echo 'Building the package for $* (a minute the first time)'
	@GOOS=linux GOARCH=$* go build -ldflags='-s -w' -o .cache/xpkg/$*/function .
	@$(BIN)/image -binary .cache/xpkg/$*/function -arch $* -o .cache/xpkg/$*/image.tar
	@$(BIN)/crossplane xpkg build --package-root=package --embed-runtime-image-tarball=.cache/xpkg/$*/image.tar -o $@

$(CONFIGURATION).xpkg: configuration/crossplane.yaml example/xrd.yaml example/composition.yaml $(BIN)/crossplane FORCE
	@echo '$(REGISTRY)' | grep -Eq '^[^/]+(/[a-z0-9]+(-+[a-z0-9]+)*)+$$' || \
	{ echo 'REGISTRY is $(REGISTRY), but must be a host and a path of lower-case letters, digits and dashes, such as registry.example.com/team' >&2; exit 1; }
	@rm -rf $(CONFIGURATION) && mkdir -p $(CONFIGURATION) && cp example/xrd.yaml $(CONFIGURATION)
	@sed -e 's|ghcr.io/dittofs|$(REGISTRY)|' -e 's|>=v0.1.0|>=$(VERSION)|' configuration/crossplane.yaml >$(CONFIGURATION)/crossplane.yaml
	@sed '/functionRef:/{n;s|function-dittoserver|$(FUNCTION)|;}' example/composition.yaml >$(CONFIGURATION)/composition.yaml
	@$(BIN)/crossplane xpkg build --package-root=$(CONFIGURATION) -o $@

# REGISTRY and VERSION may be others each time.
FORCE:

# $(call tool,BINARY,MODULE under tools/,PACKAGE,TIME,LDFLAGS). The compiler collects less
# garbage than by default, for a fifth less time. What is linked has nothing for a debugger.
define tool
$(BIN)/$(1): tools/$(2)/go.mod tools/$(2)/go.sum
	@echo 'Building $(1) from its Go module ($(4) the first time)'
	@GOGC=800 go -C tools/$(2) build -ldflags='-s -w $(5)' -o $$@ $(3)
endef

# Crossplane does not install a package that asks for a version if it does not know
# its own, which is in the one place or the other, and its RBAC manager has no flag for
# the address of its metrics.
CORE_FLAGS = -X github.com/crossplane/crossplane-runtime/v2/pkg/version.version=v$(1) \
	-X github.com/crossplane/crossplane/v2/internal/version.version=v$(1) \
	-X sigs.k8s.io/controller-runtime/pkg/metrics/server.DefaultBindAddress=127.0.0.1:0

# Kubernetes' programs know their version by their build alone, and tell it in what
# users see: kubectl get nodes.
KUBE_FLAGS := -X k8s.io/component-base/version.gitVersion=v1.35.4 -X k8s.io/client-go/pkg/version.gitVersion=v1.35.4

$(eval $(call tool,crossplane,crossplane,github.com/crossplane/cli/v2/cmd/crossplane,about two minutes))
$(eval $(call tool,crossplane-core,crossplane,github.com/crossplane/crossplane/v2/cmd/crossplane,about a minute,$(call CORE_FLAGS,$(NEWEST))))
$(foreach v,$(OTHERS),$(eval $(call tool,crossplane-$(v),crossplane-$(v),github.com/crossplane/crossplane/v2/cmd/crossplane,about a minute and a half,$(call CORE_FLAGS,$(v)))))
$(eval $(call tool,render,crossplane,./render,half a minute))
$(eval $(call tool,reconcile,crossplane,./reconcile,half a minute))
$(eval $(call tool,dfs,dittofs,github.com/marmos91/dittofs/cmd/dfs,about a minute))
$(eval $(call tool,dfsctl,dittofs,github.com/marmos91/dittofs/cmd/dfsctl,a moment))
$(eval $(call tool,etcd,cluster,go.etcd.io/etcd/server/v3,about a minute))
$(eval $(call tool,kube-apiserver,cluster,k8s.io/kubernetes/cmd/kube-apiserver,about two minutes,$(KUBE_FLAGS)))
$(eval $(call tool,kube-controller-manager,cluster,k8s.io/kubernetes/cmd/kube-controller-manager,about a minute,$(KUBE_FLAGS)))
$(eval $(call tool,kubelet,cluster,k8s.io/kubernetes/cmd/kubelet,about a minute,$(KUBE_FLAGS)))
$(eval $(call tool,kube-scheduler,cluster,k8s.io/kubernetes/cmd/kube-scheduler,about a minute,$(KUBE_FLAGS)))
$(eval $(call tool,kube-proxy,cluster,k8s.io/kubernetes/cmd/kube-proxy,about a minute,$(KUBE_FLAGS)))
$(eval $(call tool,kubectl,cluster,k8s.io/kubernetes/cmd/kubectl,about a minute,$(KUBE_FLAGS)))
$(eval $(call tool,csi-provisioner,cluster,github.com/kubernetes-csi/external-provisioner/v5/cmd/csi-provisioner,under a minute))
$(eval $(call tool,csi-resizer,cluster,github.com/kubernetes-csi/external-resizer/cmd/csi-resizer,a moment))
$(eval $(call tool,coredns,cluster,./coredns,about a minute))
$(eval $(call tool,kwok,kwok,sigs.k8s.io/kwok/cmd/kwok,about two minutes))
$(eval $(call tool,image,image,.,a moment))
$(eval $(call tool,golangci-lint,lint,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,about a minute))
$(eval $(call tool,vulncheck,vulncheck,.,a moment))
$(eval $(call tool,controller-gen,generate,sigs.k8s.io/controller-tools/cmd/controller-gen,under a minute))
$(eval $(call tool,crd2xrd,generate,./crd2xrd,a moment))

$(BIN)/render: $(wildcard tools/crossplane/render/*.go)
$(BIN)/reconcile: tools/crossplane/reconcile/main.go
$(BIN)/crd2xrd: tools/generate/crd2xrd/main.go
$(BIN)/image: tools/image/main.go
$(BIN)/vulncheck: $(wildcard tools/vulncheck/*.go)
$(BIN)/coredns: tools/cluster/coredns/main.go
