package docker

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"renga"
)

// fault gives an error of the client its kind. Whatever means that the daemon
// cannot be talked to is Unavailable; all else stays as it is. Nil stays nil.
func (c *Client) fault(err error) error {
	var known *renga.Error
	switch {
	case err == nil, errors.As(err, &known), errors.Is(err, context.Canceled):
		return err
	case isVersionMismatch(err):
		// The daemon was replaced by one of another age; agree anew next time.
		c.current.Store(nil)
		return renga.Errorf(renga.Unavailable,
			"Docker at %s was replaced by another version; trying again: %w", c.host, err)
	case isAway(err):
		return &renga.Error{
			Kind: renga.Unavailable,
			Message: "Docker does not answer at " + c.host + ": " + awayReason(err) +
				"; start dockerd, or set the address of Docker's socket.",
			Err: err,
		}
	}
	return err
}

// isAway tells whether err means that there is nobody to talk to, or that he
// went away in the middle of a sentence.
func isAway(err error) bool {
	var network net.Error
	return client.IsErrConnectionFailed(err) || cerrdefs.IsUnavailable(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network)
}

// awayReason is the short form of an error that isAway. The client's own text
// repeats the address and asks "Is the docker daemon running?".
func awayReason(err error) string {
	var op *net.OpError
	switch {
	case errors.As(err, &op):
		return op.Err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "timed out"
	case strings.Contains(err.Error(), "permission denied"):
		return "permission denied"
	case client.IsErrConnectionFailed(err):
		return "cannot connect"
	}
	return err.Error()
}

// isVersionMismatch knows dockerd's refusal of an API version
// (api/server/middleware/version.go: "client version 1.41 is too old.
// Minimum supported API version is 1.44 …", and "… is too new. Maximum …").
func isVersionMismatch(err error) bool {
	text := err.Error()
	return cerrdefs.IsInvalidArgument(err) && strings.Contains(text, "client version") &&
		(strings.Contains(text, "is too old") || strings.Contains(text, "is too new"))
}

// neverStarts are pieces of what runc and dockerd say when a container cannot
// start however often one tries, and what to tell the app's owner instead.
// dockerd has no codes for them (daemon/errors.go does the same on the texts).
var neverStarts = []struct{ piece, sentence string }{
	{"executable file not found", "is not in the image: no such file on its PATH. Correct the command"},
	{
		"no such file or directory",
		"cannot be run: the file, or the interpreter it names, is not in the image. Correct the command",
	},
	{"permission denied", "cannot be run: permission denied. Make the file executable for the image's user"},
	{"exec format error", "cannot be run on this machine: exec format error. Build the image for this machine's platform"},
	{"is a directory", "cannot be run: it is a directory. Correct the command"},
}

// startFault sorts an error of creating or starting a container into Invalid
// (it never will) and the rest (it may pass).
func (c *Client) startFault(err error, command string) error {
	text := err.Error()
	switch {
	case isVersionMismatch(err) || isAway(err) && !cerrdefs.IsInvalidArgument(err):
		return c.fault(err)
	case strings.Contains(text, "unable to find user"), strings.Contains(text, "unable to find group"),
		strings.Contains(text, "no matching entries in passwd file"):
		return &renga.Error{Kind: renga.Invalid, Err: err,
			Message: "The image names a user or group that it does not contain. Correct its USER and push again."}
	case strings.Contains(text, "no available IPv4 addresses"):
		return &renga.Error{Kind: renga.Unavailable, Err: err,
			Message: "The app's network has no free address left; scale the app down."}
	}
	if !aboutCommand(err, command) {
		return refusal(err)
	}
	for _, n := range neverStarts {
		if strings.Contains(text, n.piece) {
			return &renga.Error{Kind: renga.Invalid, Err: err,
				Message: nameOf(command) + " " + n.sentence + " and push again."}
		}
	}
	return refusal(err)
}

// nameOf is how a sentence begins that is about a command; an empty one is the
// image's own.
func nameOf(command string) string {
	if command == "" {
		return "The image's command"
	}
	return "The command " + quote(command)
}

// aboutCommand tells whether a failed start is the command's fault. "No such
// file" and "permission denied" also come from cgroups, mounts and the disk;
// then the next try may go well.
func aboutCommand(err error, command string) bool {
	text := err.Error()
	return strings.Contains(text, "exec format error") ||
		strings.Contains(text, "exec: ") && strings.Contains(text, command)
}

// gone tells whether the daemon no longer has, or is just removing, the thing.
func gone(err error) bool {
	return cerrdefs.IsNotFound(err) ||
		cerrdefs.IsConflict(err) && strings.Contains(err.Error(), "already in progress")
}

// notRunning tells whether a signal came too late or too early.
func notRunning(err error) bool {
	return cerrdefs.IsConflict(err) && strings.Contains(err.Error(), "is not running")
}
