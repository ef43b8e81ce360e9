package container

import (
	"context"
	"errors"
	"fmt"
	"time"

	"renga"
	"renga/addons/provider"
	"renga/docker"
)

const (
	// askLimit bounds one question whether a service answers.
	askLimit = 10 * time.Second
	// firstPause is after the first question, and each next one is longer, up to
	// lastPause.
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

// awaitAnswer waits until a service answers, or has ended, or its time is over.
func (p *Provider) awaitAnswer(ctx context.Context, i provider.Instance, id string, tell func(string)) error {
	limited, cancel := context.WithTimeout(ctx, p.AnswerLimit)
	defer cancel()
	told := false
	for pause := firstPause; ; pause = min(pause*3/2, lastPause) {
		c, err := p.Docker.Inspect(limited, id)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return err
		case c == nil:
			return renga.Errorf(renga.Unavailable, "The container of %s was removed while it started; it is made again.", i.AddOn.Name)
		case c.State == docker.Exited:
			return p.noteEnd(ctx, i, c)
		}
		why := p.ask(limited, i, c)
		if why == nil {
			return nil
		}
		if !told {
			tell("waiting until it answers")
			told = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limited.Done():
			return p.noAnswer(ctx, i, c, why)
		case <-time.After(pause):
		}
	}
}

// ask asks a service whether it answers: by the catalogue's command or, without
// one, by connecting to its port.
func (p *Provider) ask(ctx context.Context, i provider.Instance, c *docker.Container) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	if !i.Service.Ready.IsZero() {
		return p.command(ctx, i, c, i.Service.Ready, data(i))
	}
	if len(c.Endpoints) == 0 || i.Service.Port == 0 { // nobody can ask it, the apps that have it included
		return nil
	}
	conn, err := dial(ctx, i, c)
	if err == nil {
		err = conn.Close()
	}
	return err
}

// noAnswer says that a service does not answer, and all that is known of it.
func (p *Provider) noAnswer(ctx context.Context, i provider.Instance, c *docker.Container, why error) error {
	said := clean(i, why.Error())
	var ended *docker.ExitError
	if errors.As(why, &ended) {
		said = lastPart(clean(i, ended.Said), maxTail)
	}
	lines := p.tail(ctx, i, c)
	message := fmt.Sprintf("%s runs and does not answer on port %d after %s: %s.", i.AddOn.Name, i.Service.Port, p.AnswerLimit, said)
	if lines != "" {
		message += " Its last lines: " + lines
	}
	kind := renga.Unavailable
	if diskIsFull(lines) {
		kind, message = renga.NoSpace, message+" Its disk is full: make room on Docker's disk."
	}
	return &renga.Error{Kind: kind, Message: message, Err: why}
}

// grantLiving makes a service know the credentials that apps have, once after each
// of its starts: some keep them in memory only. New ones are granted by whoever
// made them.
func (p *Provider) grantLiving(ctx context.Context, i provider.Instance, id string) error {
	c, err := p.Docker.Inspect(ctx, id)
	if err != nil {
		return err
	}
	if c == nil || c.State != docker.Running {
		return notRunning(i)
	}
	this := start{c.ID, c.StartedAt}
	p.mu.Lock()
	known := p.granted[placeOf(i.AddOn)] == this
	p.mu.Unlock()
	if known {
		return nil
	}
	for _, credential := range i.AddOn.Credentials {
		if credential.State == renga.CredentialNew {
			continue
		}
		if err := p.Grant(ctx, i, credential); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.granted[placeOf(i.AddOn)] = this
	return nil
}

// forget drops what is remembered of an add-on's place that is being removed.
func (p *Provider) forget(a renga.AddOn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.granted, placeOf(a))
	delete(p.ends, placeOf(a))
}
