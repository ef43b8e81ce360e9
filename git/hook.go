package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
)

// HookName is the name by which git starts this program as its hook. A program that is
// called so must do nothing but call Hook.
const HookName = "pre-receive"

// pushVariable is the variable with the push's secret. Only git, which we started for the
// push, and its hook have it: no other process can speak for the push.
const pushVariable = "RENGA_GIT_PUSH"

// The hook's request: a POST with the lines that git hands to it. The answer's body is for
// whoever pushed, and its trailer says whether the push is taken.
const (
	secretHeader     = "Renga-Push"
	quarantineHeader = "Renga-Quarantine"
	resultTrailer    = "Renga-Result"
	resultOK         = "ok"
)

// Hook is git's hook: it hands the refs from git to the server, and prints what that says.
// It returns the exit code, which is 0 only if the server takes the push.
func Hook(stdin io.Reader, stdout io.Writer, getenv func(string) string) int {
	err := askServer(stdin, stdout, getenv)
	if err == nil {
		return 0
	}
	if !errors.Is(err, errRefused) {
		fmt.Fprintln(stdout, "\n !     Renga ended before this push was done. Push again.")
	}
	return 1
}

var errRefused = errors.New("the server does not take the push")

func askServer(stdin io.Reader, stdout io.Writer, getenv func(string) string) error {
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			// Git starts its hook in the repository, which is beside the socket.
			return (&net.Dialer{}).DialContext(ctx, "unix", "../"+socketName)
		},
	}}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://renga/", stdin)
	if err != nil {
		return err
	}
	req.Header.Set(secretHeader, getenv(pushVariable))
	if path := getenv("GIT_QUARANTINE_PATH"); path != "" {
		req.Header.Set(quarantineHeader, filepath.Base(path))
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // the process ends
	if _, err := io.Copy(stdout, res.Body); err != nil {
		return err
	}
	if res.Trailer.Get(resultTrailer) != resultOK {
		return errRefused
	}
	return nil
}

// RunHook is Hook with the process's own streams.
func RunHook() int { return Hook(os.Stdin, os.Stdout, os.Getenv) }
