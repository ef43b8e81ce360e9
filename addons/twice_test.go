package addons_test

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
)

// upgrades are the commands of a service that can be upgraded.
var upgrades = catalogue.Upgrade{Freeze: command("freeze"), Sums: command("sums"), Carry: command("carry"), Finish: command("finish")}

func command(name string) catalogue.Command {
	t, err := catalogue.NewTemplate(name)
	if err != nil {
		panic(err)
	}
	return catalogue.Command{Run: []catalogue.Template{t}}
}

// spot is a place as the provider has it: lines, of which each is in one table.
type spot struct {
	version  string
	lines    []string
	settings string
	running  bool
	frozen   bool // no app is let in
	apps     int  // that reach it
}

func (s *spot) open() bool { return s.running && !s.frozen && s.apps > 0 }

// twice is a provider that can have an add-on in two places, as that of containers. It
// complains when apps can write to both.
type twice struct {
	calls *calls
	t     *testing.T

	mu    sync.Mutex
	spots map[string]*spot
	// fault is the error of a command by its name, lose has a restore lose a line, and meddle
	// somebody write to what is frozen.
	fault        map[string]error
	lose, meddle bool
	held         chan struct{} // a restore waits for it
	begun        chan struct{}
}

func newTwice(t *testing.T, calls *calls) *twice {
	return &twice{calls: calls, t: t, spots: map[string]*spot{}, fault: map[string]error{}, begun: make(chan struct{}, 10)}
}

// enter begins a call. One that is cut off goes on until its asker is gone, as Renga is
// when it was killed.
func (p *twice) enter(ctx context.Context, name string) (leave func(), err error) {
	if p.calls.next() != nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	p.mu.Lock()
	if err := p.fault[name]; err != nil {
		p.mu.Unlock()
		return nil, err
	}
	return func() {
		n := 0
		for _, s := range p.spots {
			if s.open() {
				n++
			}
		}
		if n > 1 {
			p.t.Errorf("after %s apps write to %d places", name, n)
		}
		p.mu.Unlock()
	}, nil
}

// write is what an app does: it is true if it is let in somewhere.
func (p *twice) write(line string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.spots {
		if s.open() {
			s.lines = append(s.lines, line)
			return true
		}
	}
	return false
}

// open are the versions of the places that are open, with what is in them, and all are how
// many places there are.
func (p *twice) open() (open []spot, all int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.spots {
		if s.open() {
			one := *s
			one.lines = slices.Clone(s.lines)
			open = append(open, one)
		}
	}
	return open, len(p.spots)
}

func (p *twice) set(change func(*twice)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// key names a place.
func key(i provider.Instance) string { return string(i.AddOn.ID) + "/" + i.AddOn.Home }

// Ensure implements [provider.Provider]. Credentials that live are let in.
func (p *twice) Ensure(ctx context.Context, i provider.Instance, tell func(string)) error {
	tell("starting")
	leave, err := p.enter(ctx, "ensure "+i.AddOn.Options["version"])
	if err != nil {
		return err
	}
	defer leave()
	s := p.spots[key(i)]
	if s == nil {
		if i.AddOn.State == renga.Provisioned {
			p.t.Errorf("what is in version %s begins anew without data", i.AddOn.Options["version"])
		}
		s = &spot{version: i.AddOn.Options["version"], frozen: true}
		p.spots[key(i)] = s
	}
	s.running, s.apps = true, len(i.Apps)
	for _, c := range i.AddOn.Credentials {
		s.frozen = s.frozen && c.State == renga.CredentialNew
	}
	return nil
}

// Grant implements [provider.Provider].
func (p *twice) Grant(ctx context.Context, i provider.Instance, _ renga.Credential) error {
	return p.in(ctx, i, "grant", func(s *spot) error { s.frozen = false; return nil })
}

// Revoke implements [provider.Provider].
func (p *twice) Revoke(ctx context.Context, i provider.Instance, _ renga.Credential) error {
	return p.in(ctx, i, "revoke", func(*spot) error { return nil })
}

// in does something in a place that runs.
func (p *twice) in(ctx context.Context, i provider.Instance, name string, do func(*spot) error) error {
	leave, err := p.enter(ctx, name)
	if err != nil {
		return err
	}
	defer leave()
	s := p.spots[key(i)]
	if s == nil || !s.running {
		return &renga.Error{Kind: renga.Unavailable, Message: "It is away.", Err: provider.ErrAway}
	}
	return do(s)
}

// Config implements [provider.Provider].
func (p *twice) Config(i provider.Instance, c renga.Credential) (renga.Vars, error) {
	return renga.Vars{"URL": "db://" + c.User + "@" + i.AddOn.Host}, nil
}

// Remove implements [provider.Provider].
func (p *twice) Remove(ctx context.Context, i provider.Instance) error {
	leave, err := p.enter(ctx, "remove "+i.AddOn.Options["version"])
	if err != nil {
		return err
	}
	defer leave()
	delete(p.spots, key(i))
	return nil
}

// Rest implements [provider.Upgrader].
func (p *twice) Rest(ctx context.Context, i provider.Instance) error {
	leave, err := p.enter(ctx, "rest")
	if err != nil {
		return err
	}
	defer leave()
	p.spots[key(i)].running = false
	return nil
}

// Dump implements [provider.Archiver].
func (p *twice) Dump(ctx context.Context, i provider.Instance, to io.Writer) error {
	var text string
	err := p.in(ctx, i, "dump", func(s *spot) error { text = strings.Join(s.lines, "\n"); return nil })
	if err == nil {
		_, err = io.WriteString(to, text)
	}
	return err
}

// Restore implements [provider.Archiver].
func (p *twice) Restore(ctx context.Context, i provider.Instance, from io.Reader) error {
	text, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	p.mu.Lock()
	held := p.held
	p.mu.Unlock()
	if held != nil {
		p.begun <- struct{}{}
		select {
		case <-held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return p.in(ctx, i, "restore", func(s *spot) error {
		s.lines = strings.Split(string(text), "\n")
		if p.lose {
			s.lines = s.lines[1:]
		}
		if p.meddle {
			for _, other := range p.spots {
				if other != s {
					other.lines = append(other.lines, "meddled")
				}
			}
		}
		return nil
	})
}

// Do implements [provider.Upgrader].
func (p *twice) Do(ctx context.Context, i provider.Instance, _ string, c catalogue.Command, from io.Reader, to io.Writer) error {
	argv, _, err := c.Render(catalogue.Data{})
	if err != nil {
		return err
	}
	return p.in(ctx, i, argv[0], func(s *spot) error {
		switch argv[0] {
		case "freeze":
			s.frozen = true
		case "sums":
			for _, line := range s.lines {
				_, err = io.WriteString(to, "table "+line+"|1|0\n")
			}
			_, err = io.WriteString(to, "settings "+s.settings+"\n")
		case "carry":
			_, err = io.WriteString(to, s.settings)
		case "finish":
			var settings bytes.Buffer
			_, err = settings.ReadFrom(from)
			s.settings = settings.String()
		}
		return err
	})
}
