package renga

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// Mount is an add-on's disk as an app's dynos have it.
type Mount struct {
	Volume string        // the engine's name of the disk
	Path   string        // where it is in a dyno
	Types  []ProcessType // whose dynos have it
	// Shared says that several dynos may write at once. Otherwise it has one process
	// type, of which one dyno runs at a time.
	Shared bool
}

// Equal tells whether two mounts are the same.
func (m Mount) Equal(o Mount) bool {
	return m.Volume == o.Volume && m.Path == o.Path && m.Shared == o.Shared && slices.Equal(m.Types, o.Types)
}

func (m Mount) clone() Mount {
	m.Types = slices.Clone(m.Types)
	return m
}

// cloneMounts is a copy that shares nothing; nil for none.
func cloneMounts(all []Mount) []Mount {
	var c []Mount
	for _, m := range all {
		c = append(c, m.clone())
	}
	return c
}

// MountsOf picks those that dynos of a process type have.
func MountsOf(all []Mount, t ProcessType) []Mount {
	var its []Mount
	for _, m := range all {
		if slices.Contains(m.Types, t) {
			its = append(its, m)
		}
	}
	return its
}

// Alone lists the volumes that a dyno of a process type writes alone: while it
// runs, no other dyno may have them to write.
func Alone(all []Mount, t ProcessType) []string {
	var volumes []string
	for _, m := range MountsOf(all, t) {
		if !m.Shared {
			volumes = append(volumes, m.Volume)
		}
	}
	return volumes
}

// ValidateScale refuses more dynos of a process type than its disks let write.
func ValidateScale(all []Mount, t ProcessType, quantity int) error {
	for _, m := range MountsOf(all, t) {
		if !m.Shared && quantity > 1 {
			return Errorf(Invalid, "Process type %s has a disk at %s that one dyno writes alone, so it can have one dyno at most. "+
				"Make the disk with --shared true if the app may write to it from several dynos.", t, m.Path)
		}
	}
	return nil
}

var (
	mountPath = regexp.MustCompile(`^(/[A-Za-z0-9_.-]+)+$`)

	// An image does not work with something else there, nor below.
	systemPaths = []string{
		"/bin", "/boot", "/cnb", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys",
		"/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/libx32", "/usr/local/bin", "/usr/local/lib",
		"/usr/sbin", "/usr/share", "/var/run",
	}
	// A folder within these may be a disk, they themselves hold the app or the system.
	parentPaths = []string{
		"/app", "/home", "/layers", "/opt", "/root", "/usr", "/usr/local", "/usr/src", "/usr/src/app", "/var", "/var/lib",
		"/workspace",
	}
)

// ValidateMountPath tells whether a disk may be at a path of dynos.
func ValidateMountPath(p string) error {
	within := func(dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }
	switch {
	case len(p) > 200 || !mountPath.MatchString(p) || path.Clean(p) != p:
		return Errorf(Invalid, "Path %q must be an absolute path such as /data: up to 200 letters, digits, dots, dashes, underscores "+
			"and slashes, without . and .. and a slash at its end.", Clip(p, 210))
	case slices.ContainsFunc(systemPaths, within):
		return Errorf(Invalid, "Path %q belongs to the image's system, which would not work with a disk there; use one such as /data.", p)
	case slices.Contains(parentPaths, p):
		return Errorf(Invalid, "Path %q would hide what the image has there; use a folder of its own, such as /data or %s/data.", p, p)
	}
	return nil
}

// Validate tells what is wrong with a mount by itself.
func (m Mount) Validate() error {
	if err := ValidateMountPath(m.Path); err != nil {
		return err
	}
	for _, t := range m.Types {
		if err := ValidateProcessType(t); err != nil {
			return err
		}
	}
	switch {
	case len(m.Types) == 0:
		return Errorf(Invalid, "A disk needs a process type whose dynos have it, such as web.")
	case m.Shared:
		return nil
	case len(m.Types) > 1:
		return Errorf(Invalid, "Dynos of several process types would write to the disk at once. Name one process type, or make the "+
			"disk with --shared true.")
	case m.Types[0] == ReleaseType:
		return Errorf(Invalid, "A release command runs beside the dynos before it, so only a disk made with --shared true can be its.")
	}
	return nil
}

// ValidateMounts tells what is wrong with all disks of an app together.
func ValidateMounts(all []Mount) error {
	for n, m := range all {
		if err := m.Validate(); err != nil {
			return err
		}
		for _, o := range all[:n] {
			both := slices.ContainsFunc(m.Types, func(t ProcessType) bool { return slices.Contains(o.Types, t) })
			if both && m.Path == o.Path {
				return Errorf(Invalid, "Another disk is at %s of %s already; make this one with another --path.",
					m.Path, strings.Join(typeNames(m.Types), ", "))
			}
		}
	}
	return nil
}

func typeNames(types []ProcessType) []string {
	var names []string
	for _, t := range types {
		names = append(names, string(t))
	}
	return names
}
