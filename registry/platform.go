package registry

import (
	"fmt"
	"strings"
)

// platform is what an image is built for: operating system, processor and its
// variant, in Go's words.
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
	return p, nil
}

// String is os/arch, and /variant if there is one.
func (p platform) String() string {
	s := clipText(p.OS) + "/" + clipText(p.Arch)
	if p.Variant != "" {
		s += "/" + clipText(p.Variant)
	}
	return s
}

// known is false for what has no platform, and for the unknown/unknown that
// attestations carry.
func (p platform) known() bool {
	return p.OS != "" && p.OS != "unknown" && p.Arch != "" && p.Arch != "unknown"
}

// runs tells whether a machine of platform p runs what is built for other.
func (p platform) runs(other platform) bool {
	return p.OS == other.OS && p.Arch == other.Arch
}

// fit orders what p runs: its own variant before none before any other.
func (p platform) fit(other platform) int {
	switch {
	case other.Variant == p.Variant:
		return 2
	case other.Variant == "" || baseVariants[other.Arch] == other.Variant:
		return 1
	}
	return 0
}

// baseVariants are the variants that every processor of the kind has.
var baseVariants = map[string]string{"amd64": "v1", "arm64": "v8"}
