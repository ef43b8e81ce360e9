package addons

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"renga"
	"renga/addons/provider"
)

// copyOver makes the other place and copies the data there. Unless it is a trial nobody
// writes meanwhile, and afterwards both places must have the same. It says what they have.
func (m move) copyOver(ctx context.Context) (found string, err error) {
	a, trial := m.now.AddOn, m.now.AddOn.Upgrade.State == renga.UpgradeTrying
	if a.Upgrade.Attempts >= maxUpgradeAttempts {
		return "", renga.Errorf(renga.Unavailable, "Renga ended %d times in the middle of it.", a.Upgrade.Attempts)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var copied atomic.Int64
	step, stop := m.report(ctx, cancel, &copied)
	defer stop()
	if err := m.prepare(ctx, step); err != nil {
		return "", err
	}
	if trial {
		step("copying the data for a trial")
		if err := m.pass(ctx, &copied); err != nil {
			return "", err
		}
		after, err := m.sums(ctx, m.other)
		return "Copied were " + after.String() + ".", err
	}
	m.s.say(a, fmt.Sprintf("Upgrading %s from %s to %s: it lets nobody in until its data are copied",
		a.Name, m.now.AddOn.Place(m.now.Service.Version).Version, a.Upgrade.Other.Version))
	step("ending connections")
	if err := m.freeze(ctx, m.now); err != nil {
		return "", err
	}
	step("counting the data")
	before, err := m.sums(ctx, m.now)
	if err != nil {
		return "", err
	}
	step("copying the data")
	if err := m.pass(ctx, &copied); err != nil {
		return "", err
	}
	step("comparing the data")
	return "Compared were " + before.String() + ".", m.compare(ctx, before)
}

// prepare makes the other place, anew if an attempt before this one has left some of it.
// Nobody is let in there.
func (m move) prepare(ctx context.Context, step func(string)) error {
	if err := m.by.Ensure(ctx, m.now, step); err != nil {
		return err
	}
	if err := m.by.Remove(ctx, m.other); err != nil {
		return err
	}
	fresh := m.other
	fresh.AddOn = fresh.AddOn.Clone()
	fresh.AddOn.State = renga.Provisioning // it has neither data nor users
	for i := range fresh.AddOn.Credentials {
		fresh.AddOn.Credentials[i].State = renga.CredentialNew
	}
	if err := m.by.Ensure(ctx, fresh, step); err != nil {
		return err
	}
	if err := m.grant(ctx, m.other); err != nil {
		return err
	}
	return m.freeze(ctx, m.other)
}

// pass copies the data in a stream, and what a dump leaves out. A dump that breaks off
// breaks the restore off.
func (m move) pass(ctx context.Context, copied *atomic.Int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from, to := io.Pipe()
	dumped := make(chan error, 1)
	go func() {
		err := m.by.Dump(ctx, m.now, counting{to, copied})
		to.CloseWithError(err) // an end, when it is nil
		dumped <- err
	}()
	err := m.by.Restore(ctx, m.other, from)
	if err == nil {
		_, err = io.Copy(io.Discard, from) // what a service leaves of a dump that it has understood
	}
	if err != nil {
		cancel()
		from.CloseWithError(err)
	}
	if broken := <-dumped; broken != nil && (err == nil || !errors.Is(broken, context.Canceled) && !errors.Is(broken, err)) {
		err = broken // which is why the restore broke off
	}
	if err != nil || m.now.Service.Upgrade.Carry.IsZero() {
		return err
	}
	var carried bounded
	if err := m.by.Do(ctx, m.now, "read the settings of", m.now.Service.Upgrade.Carry, nil, &carried); err != nil {
		return err
	}
	return m.by.Do(ctx, m.other, "finish", m.other.Service.Upgrade.Finish, &carried.lines, nil)
}

// compare is an error unless both places have what there was before.
func (m move) compare(ctx context.Context, before sums) error {
	still := make(chan error, 1)
	go func() {
		now, err := m.sums(ctx, m.now)
		if difference := before.difference(now); err == nil && difference != "" {
			err = renga.Errorf(renga.Unavailable, "Somebody wrote meanwhile: %s.", difference)
		}
		still <- err
	}()
	after, err := m.sums(ctx, m.other)
	if difference := before.difference(after); err == nil && difference != "" {
		err = renga.Errorf(renga.Unavailable, "The data are not the same in version %s: %s.", m.other.AddOn.Upgrade.Other.Version, difference)
	}
	return errors.Join(<-still, err)
}

// sums are the lines that say what data there are.
type sums []string

func (m move) sums(ctx context.Context, i provider.Instance) (sums, error) {
	var out bounded
	if err := m.by.Do(ctx, i, "count the data of", i.Service.Upgrade.Sums, nil, &out); err != nil {
		return nil, err
	}
	return slices.Collect(strings.Lines(out.lines.String())), nil
}

// String says how many tables there are, and rows in them.
func (s sums) String() string {
	tables, rows := 0, int64(0)
	for _, line := range s {
		if fields := strings.Split(line, "|"); strings.HasPrefix(line, "table ") && len(fields) >= 3 {
			n, _ := strconv.ParseInt(fields[len(fields)-2], 10, 64) // 0 for what no service prints
			tables, rows = tables+1, rows+n
		}
	}
	return fmt.Sprintf("%d rows of %d tables, and %d sums in all", rows, tables, len(s))
}

// difference is the first line in which they differ from others; empty if they do not.
func (s sums) difference(others sums) string {
	for i := range max(len(s), len(others)) {
		before, after := "nothing", "nothing"
		if i < len(s) {
			before = strings.TrimSpace(s[i])
		}
		if i < len(others) {
			after = strings.TrimSpace(others[i])
		}
		if before != after {
			return fmt.Sprintf("it was %q and is %q", renga.Clip(before, 150), renga.Clip(after, 150))
		}
	}
	return ""
}

// report records which step is under way, with how much is copied, and ends the upgrade of
// an add-on that is being removed, until stop is called.
func (m move) report(ctx context.Context, end context.CancelCauseFunc, copied *atomic.Int64) (step func(string), stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	var now atomic.Value
	now.Store("")
	go func() {
		defer close(ended)
		for tick := time.NewTicker(stepPause); ; {
			text := now.Load().(string)
			if n := copied.Load(); n > 0 && strings.HasPrefix(text, "copying") {
				text = fmt.Sprintf("%s: %d MB", text, n>>20)
			}
			err := m.s.edit(ctx, m.now.AddOn.ID, func(a *renga.AddOn) error {
				a.Step = text
				return there(a)
			})
			if kind := renga.KindOf(err); kind == renga.Invalid || kind == renga.NotFound {
				end(errRemoved)
			}
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	}()
	return func(text string) { now.Store(text) }, func() { cancel(); <-ended }
}

// counting counts what is written.
type counting struct {
	io.Writer
	n *atomic.Int64
}

func (c counting) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// maxLines bounds what is read of a service's answer to a command.
const maxLines = 16 << 20

// bounded keeps an answer.
type bounded struct{ lines bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.lines.Len()+len(p) > maxLines {
		return 0, renga.Errorf(renga.Invalid, "There are more tables than can be compared: their sums take more than %d MB.", maxLines>>20)
	}
	return b.lines.Write(p)
}
