package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
	"renga/docker"
)

// Grant implements [provider.Provider].
func (p *Provider) Grant(ctx context.Context, i provider.Instance, c renga.Credential) error {
	return p.of(ctx, i, "give a credential to", i.Service.Grant, c)
}

// Revoke implements [provider.Provider].
func (p *Provider) Revoke(ctx context.Context, i provider.Instance, c renga.Credential) error {
	return p.of(ctx, i, "end a credential of", i.Service.Revoke, c)
}

// of runs a command about a credential.
func (p *Provider) of(
	ctx context.Context, i provider.Instance, what string, command catalogue.Command, c renga.Credential,
) error {
	if command.IsZero() {
		return nil
	}
	running, err := p.running(ctx, i)
	if err != nil {
		return err
	}
	if err := p.command(ctx, i, running, command, data(i).With(c)); err != nil {
		return failed(i, what, "It is tried again.", err, c.Password)
	}
	return nil
}

// command runs one of the catalogue's commands that answers by how it ends.
func (p *Provider) command(
	ctx context.Context, i provider.Instance, c *docker.Container, command catalogue.Command, d catalogue.Data,
) error {
	return p.pipe(ctx, i, c, command, d, nil, nil)
}

// pipe runs one of the catalogue's commands with input after its own, if any, and
// with its output going elsewhere.
func (p *Provider) pipe(
	ctx context.Context, i provider.Instance, c *docker.Container, command catalogue.Command, d catalogue.Data,
	input io.Reader, output io.Writer,
) error {
	argv, first, err := command.Render(d)
	if err != nil {
		return fmt.Errorf("%s: %w", i.Service.Name, err)
	}
	program := docker.Program{Argv: argv, Output: output}
	switch {
	case input != nil:
		program.Input = io.MultiReader(strings.NewReader(first), input)
	case first != "":
		program.Input = strings.NewReader(first)
	}
	return c.Run(ctx, program)
}

// failed is what a user reads of a command that failed, with what happens then, if anything.
func failed(i provider.Instance, what, then string, err error, secrets ...renga.Secret) error {
	var ended *docker.ExitError
	switch {
	case renga.KindOf(err) == renga.NotFound: // it has ended meanwhile
		return notRunning(i)
	case !errors.As(err, &ended):
		return err
	}
	said := lastPart(clean(i, ended.Said, secrets...), maxTail)
	kind := renga.Unavailable
	if diskIsFull(said) {
		kind, then = renga.NoSpace, "Its disk is full: make room on Docker's disk."
	}
	// The cause may have passwords in it, and is left out.
	why := fmt.Sprintf("Could not %s %s: its command ended with status %d: %s. %s", what, i.AddOn.Name, ended.Status, said, then)
	return renga.Errorf(kind, "%s", strings.TrimSpace(why))
}

// Dump implements [provider.Archiver].
func (p *Provider) Dump(ctx context.Context, i provider.Instance, to io.Writer) error {
	return p.archive(ctx, i, "copy the data of", i.Service.Dump, nil, to)
}

// Restore implements [provider.Archiver].
func (p *Provider) Restore(ctx context.Context, i provider.Instance, from io.Reader) error {
	return p.archive(ctx, i, "restore the data of", i.Service.Restore, from, nil)
}

func (p *Provider) archive(
	ctx context.Context, i provider.Instance, what string, command catalogue.Command, from io.Reader, to io.Writer,
) error {
	if command.IsZero() {
		return renga.Errorf(renga.Invalid, "%s has no backups.", i.Service.HumanName)
	}
	return p.Do(ctx, i, what, command, from, to)
}

// Do implements [provider.Upgrader].
func (p *Provider) Do(
	ctx context.Context, i provider.Instance, what string, command catalogue.Command, from io.Reader, to io.Writer,
) error {
	c, err := p.running(ctx, i)
	if err != nil {
		return err
	}
	if err := p.pipe(ctx, i, c, command, data(i), from, to); err != nil {
		return failed(i, what, "", err)
	}
	return nil
}

// Run implements [provider.Runner].
func (p *Provider) Run(ctx context.Context, i provider.Instance, argv []string, input io.Reader, output io.Writer) error {
	c, err := p.running(ctx, i)
	if err != nil {
		return err
	}
	if err := c.Run(ctx, docker.Program{Argv: argv, Input: input, Output: output}); err != nil {
		return failed(i, "run a command in", "", err)
	}
	return nil
}

// Measure implements [provider.Meter].
func (p *Provider) Measure(ctx context.Context, i provider.Instance) (provider.Usage, error) {
	c, err := p.running(ctx, i)
	if err != nil {
		return provider.Usage{}, err
	}
	used, err := p.Docker.Measure(ctx, c.ID)
	if err != nil {
		return provider.Usage{}, err
	}
	u := provider.Usage{At: p.Now(), MemoryBytes: used.Memory(), Connections: -1}
	bytes, err := p.figure(ctx, i, c, "data_bytes", 0)
	if err != nil {
		return u, err
	}
	u.DataBytes = bytes
	connections, err := p.figure(ctx, i, c, "connections", -1)
	u.Connections = int(connections)
	return u, err
}

// figure asks a service for a number by the catalogue's command.
func (p *Provider) figure(
	ctx context.Context, i provider.Instance, c *docker.Container, name string, without int64,
) (int64, error) {
	command, ok := i.Service.Usage[name]
	if !ok {
		return without, nil
	}
	var out provider.Figure
	if err := p.pipe(ctx, i, c, command, data(i), nil, &out); err != nil {
		return 0, failed(i, "measure "+name+" of", "", err)
	}
	return out.Number(i, name)
}

// dialLimit bounds one try to connect.
const dialLimit = 10 * time.Second

// Connect implements [provider.Connector].
func (p *Provider) Connect(ctx context.Context, i provider.Instance) (net.Conn, error) {
	c, err := p.running(ctx, i)
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, i, c)
	if err != nil {
		return nil, &renga.Error{Kind: renga.Unavailable, Err: err,
			Message: fmt.Sprintf("%s does not answer on port %d.", i.AddOn.Name, i.Service.Port)}
	}
	return conn, nil
}

// dial connects to a service's port, in any of its networks: this machine is in all
// of them.
func dial(ctx context.Context, i provider.Instance, c *docker.Container) (net.Conn, error) {
	err := error(renga.Errorf(renga.Unavailable, "%s is attached to no app, so that nothing reaches it. Attach it first.", i.AddOn.Name))
	for _, at := range c.Endpoints {
		if !at.Addr.IsValid() {
			continue
		}
		var conn net.Conn
		address := netip.AddrPortFrom(at.Addr, uint16(i.Service.Port)).String()
		if conn, err = (&net.Dialer{Timeout: dialLimit}).DialContext(ctx, "tcp", address); err == nil {
			return conn, nil
		}
	}
	return nil, err
}
