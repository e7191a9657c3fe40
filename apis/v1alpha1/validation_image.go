package v1alpha1

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// The grammar of an image, as the kubelet has it from github.com/distribution/reference.
const (
	hostPart      = `[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?`
	hostPattern   = `(` + hostPart + `(\.` + hostPart + `)*|\[[a-fA-F0-9:]+\])(:[0-9]+)?`
	pathPart      = `[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*`
	tagPattern    = `:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`
	digestPattern = `@(sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})`
)

// maxImageName leaves room for the library/ that the kubelet puts before some names,
// of which it takes 255 characters.
const maxImageName = 255 - len("library/")

var (
	imagePattern      = regexp.MustCompile(`^(` + hostPattern + `/)?(` + pathPart + `(/` + pathPart + `)*)(` + tagPattern + `)?(` + digestPattern + `)?$`)
	imageNameEnd      = regexp.MustCompile(`(` + tagPattern + `)?(` + digestPattern + `)?$`)
	identifierPattern = regexp.MustCompile(`^[a-f0-9]{64}$`)
)

// ValidateImage refuses what the kubelet cannot read, and the API server stores.
func ValidateImage(image string, p *field.Path) field.ErrorList {
	if image == "" {
		return nil
	}
	// A first part without a dot or a port is a directory and no host.
	rest := image
	if host, path, ok := strings.Cut(image, "/"); ok && (strings.ContainsAny(host, ".:") || host == "localhost" || host != strings.ToLower(host)) {
		rest = path
	}
	name := imageNameEnd.ReplaceAllString(rest, "")
	switch {
	case !imagePattern.MatchString(image) || name != strings.ToLower(name):
		return field.ErrorList{field.Invalid(p, image, "is no image: the kubelet reads [HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST], a name of a-z, 0-9, '/', '.', '_' and '-', and no blanks")}
	case identifierPattern.MatchString(image):
		return field.ErrorList{field.Invalid(p, image, "is the digest of an image without its name. Write NAME@sha256:DIGEST")}
	case len(name) > maxImageName:
		return field.ErrorList{field.Invalid(p, image, fmt.Sprintf("must have a name of at most %d characters", maxImageName))}
	}
	return nil
}
