package container

import (
	"context"
	"fmt"
	"strings"
	"time"

	"renga"
	"renga/addons/provider"
	"renga/docker"
)

const (
	// endsForgottenAfter is how long a service runs until its ends before that count no more.
	endsForgottenAfter = 10 * time.Minute
	// longestPause is the longest between two starts of a service that ends and ends.
	longestPause = time.Minute
	// maxFirstEnds is after how many ends a service is given up that has never answered.
	maxFirstEnds = 3
	// lastLines are how many of its last lines are told.
	lastLines = 5
)

// ends counts how often a service has ended lately.
type ends struct {
	count   int
	last    start     // that ended
	started time.Time // when it was started again
}

// pause is how long after a start the next one comes: 0 after the first end, then
// 1 s, 2 s, 4 s … 60 s.
func (e ends) pause() time.Duration {
	if e.count < 2 {
		return 0
	}
	return min(time.Second<<min(e.count-2, 10), longestPause)
}

// start starts a container that was made, or that has ended.
func (p *Provider) start(ctx context.Context, i provider.Instance, c *docker.Container, tell func(string)) error {
	if c.State == docker.Exited {
		why := p.noteEnd(ctx, i, c)
		if why.Kind == renga.Invalid || !p.mayStart(placeOf(i.AddOn)) {
			return why
		}
		p.say(i.AddOn, "Starting it again")
	}
	tell("starting")
	if err := c.Start(context.WithoutCancel(ctx), ""); err != nil {
		return fmt.Errorf("start %s: %w", i.AddOn.Name, err)
	}
	return nil
}

// noteEnd counts an end of a service, says it once, and gives it as an error. One
// that has never answered, and ends and ends, will never go well.
func (p *Provider) noteEnd(ctx context.Context, i provider.Instance, c *docker.Container) *renga.Error {
	why := p.howEnded(ctx, i, c)
	count, first := p.countEnd(placeOf(i.AddOn), c)
	if first {
		p.say(i.AddOn, "%s", why.Message)
	}
	if i.AddOn.State == renga.Provisioning && count >= maxFirstEnds {
		return &renga.Error{Kind: renga.Invalid, Message: why.Message, Err: why}
	}
	return why
}

// countEnd counts an end, unless it was counted.
func (p *Provider) countEnd(of place, c *docker.Container) (count int, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, this := p.ends[of], start{c.ID, c.StartedAt}
	if e.last == this {
		return e.count, false
	}
	if c.FinishedAt.Sub(c.StartedAt) > endsForgottenAfter {
		e.count = 0
	}
	e.count++
	e.last = this
	p.ends[of] = e
	return e.count, true
}

// mayStart tells whether a service that has ended is to be started again now, and
// notes that it is.
func (p *Provider) mayStart(of place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.ends[of]
	if p.Now().Before(e.started.Add(e.pause())) {
		return false
	}
	e.started = p.Now()
	p.ends[of] = e
	return true
}

// howEnded says how a service has ended, with its last lines.
func (p *Provider) howEnded(ctx context.Context, i provider.Instance, c *docker.Container) *renga.Error {
	lines := p.tail(ctx, i, c)
	switch {
	case c.OutOfMemory:
		return renga.Errorf(renga.Unavailable, "%s ran out of memory, of which the plan %s gives it %s, and was killed. "+
			"Change to a larger plan if that happens again.", i.AddOn.Name, i.AddOn.PlanName(), i.Plan.Memory)
	case diskIsFull(lines):
		return renga.Errorf(renga.NoSpace, "%s ended with status %d, for its disk is full. Make room on Docker's disk. "+
			"Its last lines: %s", i.AddOn.Name, c.ExitCode, lines)
	case lines == "":
		return renga.Errorf(renga.Unavailable, "%s ended with status %d, and printed nothing.", i.AddOn.Name, c.ExitCode)
	}
	return renga.Errorf(renga.Unavailable, "%s ended with status %d. Its last lines: %s", i.AddOn.Name, c.ExitCode, lines)
}

// maxTail bounds what is told of a service's last lines.
const maxTail = 600

// tail are the last lines of a service, in one.
func (p *Provider) tail(ctx context.Context, i provider.Instance, c *docker.Container) string {
	lines, err := c.Tail(ctx, lastLines)
	if err != nil {
		p.Log.Debug("the last lines of a service cannot be read", "addon", i.AddOn.Name, "err", err)
	}
	return lastPart(clean(i, strings.Join(lines, " / ")), maxTail)
}

// lastPart is the end of a text.
func lastPart(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return "…" + strings.ToValidUTF8(text[len(text)-most:], "")
}

func diskIsFull(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "no space left on device") || strings.Contains(text, "disk quota exceeded")
}

// clean takes the add-on's passwords out of a text of a service's, which may repeat
// what it was told.
func clean(i provider.Instance, text string, more ...renga.Secret) string {
	secrets := append(more, i.AddOn.Admin)
	for _, c := range i.AddOn.Credentials {
		secrets = append(secrets, c.Password)
	}
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, string(s), "…")
		}
	}
	return strings.TrimSpace(strings.ToValidUTF8(text, ""))
}

// say writes into the log of the app that an add-on was made for.
func (p *Provider) say(a renga.AddOn, format string, args ...any) {
	text := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
	p.Logs.Line(a.App, renga.SourceHeroku, a.Service, text)
}
