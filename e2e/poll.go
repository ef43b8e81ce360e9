package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// final is an error that waiting longer does not mend.
type final struct{ error }

// Poll calls try until it returns nil, ten times a second for at most a minute
// and a half. The error is the last one of try.
func Poll(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	return poll(ctx, try)
}

func poll(ctx context.Context, try func() error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		var end final
		switch {
		case err == nil:
			return nil
		case errors.As(err, &end):
			return end.error
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting: %w", err)
		case <-tick.C:
		}
	}
}

// tail is the last n lines of text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// orClean gives the end of a process that was not asked to end an error even
// when its exit code is 0.
func orClean(err error) error {
	if err == nil {
		return errors.New("exit code 0")
	}
	return err
}
