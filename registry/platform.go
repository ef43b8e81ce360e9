package registry

import (
	"fmt"
	"strings"

	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// platform is what an image is built for: operating system, processor and its
// variant, in Go's words once it is normal.
type platform struct {
	OS      string `json:"os"`
	Arch    string `json:"architecture"`
	Variant string `json:"variant"`
}

// parsePlatform reads "os/arch" or "os/arch/variant".
func parsePlatform(s string) (platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return platform{}, fmt.Errorf("%q is no platform; they are like linux/amd64", s)
	}
	p := platform{OS: parts[0], Arch: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p.normal(), nil
}

// normal is p as containerd and Docker name it, whatever a tool calls it:
// x86_64 is amd64, aarch64 and arm64/v8 are arm64, and case does not matter.
// Fill in empty parts before.
func (p platform) normal() platform {
	n := platforms.Normalize(ocispec.Platform{OS: p.OS, Architecture: p.Arch, Variant: p.Variant})
	return platform{OS: n.OS, Arch: n.Architecture, Variant: n.Variant}
}

// or is p, with its empty parts filled in from other.
func (p platform) or(other platform) platform {
	if p.OS == "" {
		p.OS = other.OS
	}
	if p.Arch == "" {
		p.Arch, p.Variant = other.Arch, other.Variant
	}
	return p
}

// String is os/arch, and /variant if there is one.
func (p platform) String() string {
	s := clipText(p.OS) + "/" + clipText(p.Arch)
	if p.Variant != "" {
		s += "/" + clipText(p.Variant)
	}
	return s
}

// nowhere tells whether p runs nowhere: attestations are for unknown/unknown.
func (p platform) nowhere() bool {
	return strings.EqualFold(p.OS, "unknown") || strings.EqualFold(p.Arch, "unknown")
}

// runs tells whether a machine of platform p runs what is built for other.
func (p platform) runs(other platform) bool {
	return p.OS == other.OS && p.Arch == other.Arch
}

// fit orders the platforms that p runs: its own variant before none before any
// other.
func (p platform) fit(other platform) int {
	switch other.Variant {
	case p.Variant:
		return 2
	case "": // what every processor of the kind has
		return 1
	}
	return 0
}
