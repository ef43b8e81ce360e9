package sharedpostgres

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"

	"renga"
	"renga/addons/catalogue"
	"renga/addons/provider"
)

// psql is how the superuser is asked, from inside the server's container.
var psql = []string{
	"psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--username=postgres", "--dbname=postgres",
	"--output=/dev/null",
}

// sql has a server's superuser do something.
func (p *Provider) sql(ctx context.Context, s provider.Instance, text string) error {
	if text == "" {
		return nil
	}
	return p.Server.Run(ctx, s, psql, strings.NewReader(text), io.Discard)
}

// Grant implements [provider.Provider].
func (p *Provider) Grant(ctx context.Context, i provider.Instance, c renga.Credential) error {
	if err := p.command(ctx, i, i.Service.Grant, p.data(i).With(c), nil, io.Discard); err != nil {
		return err
	}
	return p.sql(ctx, p.server(i), limitSQL(i, c.User))
}

// Revoke implements [provider.Provider].
func (p *Provider) Revoke(ctx context.Context, i provider.Instance, c renga.Credential) error {
	return p.command(ctx, i, i.Service.Revoke, p.data(i).With(c), nil, io.Discard)
}

// data are what the catalogue's templates may use, of an add-on in its server.
func (p *Provider) data(i provider.Instance) catalogue.Data {
	d := i.Service.Data(i.AddOn, i.Plan)
	d.Host = p.server(i).AddOn.Host
	return d
}

// command runs one of the catalogue's commands in the server's container.
func (p *Provider) command(ctx context.Context, i provider.Instance, c catalogue.Command, d catalogue.Data,
	input io.Reader, output io.Writer) error {
	if c.IsZero() {
		return renga.Errorf(renga.Invalid, "%s has no such command.", i.Service.HumanName)
	}
	argv, first, err := c.Render(d)
	if err != nil {
		return err
	}
	all := io.Reader(strings.NewReader(first))
	if input != nil {
		all = io.MultiReader(all, input)
	}
	return p.Server.Run(ctx, p.server(i), argv, all, output)
}

// Config implements [provider.Provider].
func (p *Provider) Config(i provider.Instance, c renga.Credential) (renga.Vars, error) {
	return i.Service.RenderConfig(p.data(i).With(c))
}

// Remove implements [provider.Provider]. The last database takes its server with it.
func (p *Provider) Remove(ctx context.Context, i provider.Instance) error {
	s := p.server(i)
	defer p.serving.Lock(string(s.AddOn.ID))()
	serving, others, err := p.sharers(ctx, i)
	if err != nil {
		return err
	}
	if len(serving)+len(others) == 0 {
		return p.Server.Remove(ctx, s)
	}
	if s, err = p.ensureServer(ctx, provider.Instance{AddOn: withoutApps(i.AddOn), Service: i.Service, Plan: i.Plan},
		func(string) {}); err != nil {
		return err
	}
	return p.sql(ctx, s, dropSQL(catalogue.DatabaseName(i.AddOn.ID)))
}

func withoutApps(a renga.AddOn) renga.AddOn {
	a.Attachments = nil
	return a
}

// limitSQL has a database and its users keep to its plan. Several credentials have
// together what two may have, for a rotation has two at once. What a query writes
// besides the data is bounded too: the disk is everybody's.
func limitSQL(i provider.Instance, users ...string) string {
	var sql strings.Builder
	if most := i.Plan.Connections; most > 0 {
		database := catalogue.DatabaseName(i.AddOn.ID)
		fmt.Fprintf(&sql, `SELECT 'ALTER DATABASE %s CONNECTION LIMIT %d'
  FROM pg_database WHERE datname = '%[1]s' \gexec
`, database, 2*most)
		for _, user := range users {
			fmt.Fprintf(&sql, "ALTER ROLE %s CONNECTION LIMIT %d;\n", user, most)
		}
	}
	for _, user := range users {
		fmt.Fprintf(&sql, "ALTER ROLE %s SET temp_file_limit TO '%dMB';\n", user, max(1, int64(i.Plan.Disk)>>20))
	}
	return sql.String()
}

// dropSQL removes a database with all its roles, as far as they are there. A copy
// that a restore left goes too. Templates cannot be dropped, and who owns a database
// can make it one.
func dropSQL(database string) string {
	return strings.ReplaceAll(`
SELECT format('ALTER DATABASE %I IS_TEMPLATE false', datname)
  FROM pg_database WHERE datname IN ('{d}', '{d}_new') AND datistemplate \gexec
DROP DATABASE IF EXISTS "{d}" WITH (FORCE);
DROP DATABASE IF EXISTS "{d}_new" WITH (FORCE);
SELECT format('DROP ROLE %I', m.rolname)
  FROM pg_auth_members x JOIN pg_roles m ON m.oid = x.member JOIN pg_roles o ON o.oid = x.roleid
  WHERE o.rolname = '{d}_owner' AND m.rolname <> 'postgres' \gexec
DROP ROLE IF EXISTS "{d}_owner";
`, "{d}", database)
}

// Dump implements [provider.Archiver].
func (p *Provider) Dump(ctx context.Context, i provider.Instance, to io.Writer) error {
	return p.command(ctx, i, i.Service.Dump, p.data(i), nil, to)
}

// Restore implements [provider.Archiver].
func (p *Provider) Restore(ctx context.Context, i provider.Instance, from io.Reader) error {
	if err := p.command(ctx, i, i.Service.Restore, p.data(i), from, io.Discard); err != nil {
		return err
	}
	return p.limit(ctx, p.server(i), i)
}

// Do implements [provider.Upgrader].
func (p *Provider) Do(ctx context.Context, i provider.Instance, _ string, c catalogue.Command, from io.Reader, to io.Writer) error {
	if to == nil {
		to = io.Discard
	}
	return p.command(ctx, i, c, p.data(i), from, to)
}

// Rest implements [provider.Upgrader]. A database that is frozen is at rest; its server
// stops when no other one serves there.
func (p *Provider) Rest(ctx context.Context, i provider.Instance) error {
	s := p.server(i)
	defer p.serving.Lock(string(s.AddOn.ID))()
	serving, _, err := p.sharers(ctx, i)
	if err != nil || len(serving) > 0 {
		return err
	}
	return p.Server.Rest(ctx, s)
}

// Connect implements [provider.Connector].
func (p *Provider) Connect(ctx context.Context, i provider.Instance) (net.Conn, error) {
	return p.Server.Connect(ctx, p.server(i))
}

// Measure implements [provider.Meter]. Memory is the server's, and none of a
// database's own.
func (p *Provider) Measure(ctx context.Context, i provider.Instance) (provider.Usage, error) {
	u := provider.Usage{At: p.Now(), Connections: -1}
	size, err := p.figure(ctx, i, "data_bytes")
	if err != nil {
		return u, err
	}
	u.DataBytes = size
	connections, err := p.figure(ctx, i, "connections")
	u.Connections = int(connections)
	return u, err
}

// figure asks for a number by the catalogue's command.
func (p *Provider) figure(ctx context.Context, i provider.Instance, name string) (int64, error) {
	var out provider.Figure
	if err := p.command(ctx, i, i.Service.Usage[name], p.data(i), nil, &out); err != nil {
		return 0, err
	}
	return out.Number(i, name)
}

// Shares implements [provider.Sharer].
func (p *Provider) Shares(ctx context.Context, server renga.AddOnID) ([]renga.AddOnID, error) {
	all, _, err := p.databases(ctx, server)
	var ids []renga.AddOnID
	for _, a := range all {
		ids = append(ids, a.ID)
	}
	return ids, err
}
