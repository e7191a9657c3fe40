package v1alpha1

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// The grammar of an image's name. The kubelet uses that of
// github.com/distribution/reference.
const (
	hostPart    = `[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?`
	hostPattern = `(` + hostPart + `(\.` + hostPart + `)*|\[[a-fA-F0-9:]+\])(:[0-9]+)?`
	pathPart    = `[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*`
)

// maxImageName leaves room for the library/ that the kubelet puts before some names. It
// accepts 255 characters in total.
const maxImageName = 255 - len("library/")

var (
	imageNamePattern = regexp.MustCompile(`^(` + hostPattern + `/)?` + pathPart + `(/` + pathPart + `)*$`)
	imageTagPattern  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	digestPattern    = regexp.MustCompile(`^[a-f0-9]+$`)

	// digestLengths has the length of each kind of digest, in hex digits.
	//
	//nolint:gochecknoglobals // A table.
	digestLengths = map[string]int{"sha256": 64, "sha384": 96, "sha512": 128}
)

const maxImageTag = 128

// ValidateImage refuses names that the API server accepts but the kubelet cannot read.
func ValidateImage(image string, p *field.Path) field.ErrorList {
	if image == "" {
		return nil
	}
	full, tag, digest := cutImage(image)
	// Without a dot or a port, the first part is a directory and not a host.
	name := full
	if host, path, ok := strings.Cut(full, "/"); ok && (strings.ContainsAny(host, ".:") || host == "localhost" || host != strings.ToLower(host)) {
		name = path
	}
	switch {
	case !imageNamePattern.MatchString(full) || name != strings.ToLower(name) || !isTag(tag) || !isDigest(digest):
		return field.ErrorList{field.Invalid(p, image, "is not the name of an image: the kubelet reads [HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST], a name of a-z, 0-9, '/', '.', '_' and '-', and no blanks")}
	case len(image) == digestLengths["sha256"] && digestPattern.MatchString(image):
		return field.ErrorList{field.Invalid(p, image, "is the digest of an image without its name. Write NAME@sha256:DIGEST")}
	case len(name) > maxImageName:
		return field.ErrorList{field.Invalid(p, image, fmt.Sprintf("must have a name of at most %d characters", maxImageName))}
	}
	return nil
}

// cutImage splits an image into its name (with the host), its tag (with the colon) and
// its digest (with the at sign).
func cutImage(image string) (name, tag, digest string) {
	name = image
	if i := strings.IndexByte(name, '@'); i >= 0 {
		name, digest = name[:i], name[i:]
	}
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name, tag = name[:i], name[i:]
	}
	return name, tag, digest
}

func isTag(tag string) bool {
	t, ok := strings.CutPrefix(tag, ":")
	return !ok || len(t) <= maxImageTag && imageTagPattern.MatchString(t)
}

func isDigest(digest string) bool {
	d, ok := strings.CutPrefix(digest, "@")
	if !ok {
		return true
	}
	algorithm, hex, _ := strings.Cut(d, ":")
	return len(hex) == digestLengths[algorithm] && digestPattern.MatchString(hex)
}
