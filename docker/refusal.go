package docker

import (
	"regexp"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"

	"renga"
)

// transient are pieces of what the daemon and runc say when the machine is short of
// something. The same may go well later, whatever else they say.
var transient = []string{
	"no space left on device", "disk quota exceeded", "input/output error", "read-only file system",
	"cannot allocate memory", "resource temporarily unavailable", "too many open files", "device or resource busy",
	"timeout", "timed out", "deadline exceeded", "context canceled",
	"connection refused", "connection reset", "cgroup", "cpuset", "layer does not exist",
}

// permanent are pieces of what they say of an image that cannot run however often
// one tries. There are no codes for it: all are the daemon's own errors.
var permanent = []string{
	"error during container init:",         // runc 1.1, within the container already
	"container init caused",                // runc 1.0
	"Cwd must be an absolute path",         // WORKDIR
	"environment variable name can't",      // ENV
	"cannot mount volume over existing",    // VOLUME
	"is not a directory",                   // WORKDIR and VOLUME
	"not a directory",                      // files where mounts are to be
	"uids and gids must be in range",       // USER
	"invalid volume specification",         // VOLUME
	"failed to register layer:",            // a faulty layer
	"failed to extract layer",              // the same, with containerd's image store
	"layers from manifest don't match",     // a config of other layers
	"mismatched image rootfs",              // the same, with containerd's
	"filesystem layer verification failed", // a blob that is another one
	"invalid rootfs in image configuration",
}

// isPermanent tells whether a refusal of the daemon's lasts: it is the image's fault.
func isPermanent(err error) bool {
	text := err.Error()
	within := func(piece string) bool { return strings.Contains(text, piece) }
	if isVersionMismatch(err) || slices.ContainsFunc(transient, within) {
		return false
	}
	return cerrdefs.IsInvalidArgument(err) || slices.ContainsFunc(permanent, within)
}

// wrappings are what the daemon and runc put around the sentence that matters.
var wrappings = regexp.MustCompile(`^(Error response from daemon|failed to create shim task|failed to create shim|` +
	`failed to create task for container|OCI runtime create failed|runc create failed|` +
	`container_linux\.go:\d+|process_linux\.go:\d+|starting container process caused|` +
	`container init caused|unable to start container process|error during container init): "?`)

// hostPath is where the daemon keeps a container's files, which is nothing to an
// app's owner.
var hostPath = regexp.MustCompile(`/[^\s:"]*/(merged|rootfs|diff)(/|\b)`)

// sentence is a refusal of the daemon's for an app's owner.
func sentence(err error) string {
	text := strings.TrimSuffix(strings.TrimSpace(err.Error()), ": unknown")
	for rest := ""; rest != text; {
		rest, text = text, wrappings.ReplaceAllString(text, "")
	}
	return head(hostPath.ReplaceAllString(text, "/"), maxRefusal)
}

// maxRefusal bounds what is passed on of what the daemon says.
const maxRefusal = 500

// refusal is what an app's owner is told of a container that did not start.
func refusal(err error) error {
	if isPermanent(err) {
		return &renga.Error{Kind: renga.Invalid, Err: err,
			Message: "Docker cannot run the image: " + sentence(err) + ". Correct the image and push again."}
	}
	return &renga.Error{Kind: renga.Unavailable, Err: err, Message: "Docker does not start it: " + sentence(err)}
}
