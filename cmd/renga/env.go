package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"renga/certs"
)

// printEnv prints what a shell needs to reach this platform and no other with
// the official CLI, git, curl and docker: eval "$(renga env)".
func printEnv(ctx context.Context, p *program, args []string) error {
	var token string
	s, _, err := p.parseSettings("env", args, func(f *flag.FlagSet) {
		f.StringVar(&token, "token", "", "API token of the account to be; the operator's when empty")
	})
	if err != nil {
		return err
	}
	o, err := operator(s)
	if err != nil {
		return err
	}
	if token == "" {
		token = o.Token
	}
	if s, err = s.asServed(); err != nil {
		return err
	}
	at := clientsOf(s)
	if len(s.ListenTLS) > 0 {
		if at.bundle, err = p.writeBundle(s); err != nil {
			return err
		}
	}
	for _, v := range at.variables(s, token) {
		fmt.Fprintf(p.out, "export %s=%s\n", v.name, quote(v.value))
	}
	for _, note := range append(at.notes, unresolved(ctx, at.api)...) {
		fmt.Fprintln(p.err, "renga env: "+note)
	}
	return nil
}

// writeBundle makes the file of trusted CAs that clients are told of.
func (p *program) writeBundle(s Settings) (string, error) {
	ca, err := localCA(s)
	if err != nil {
		return "", err
	}
	file, err := filepath.Abs(s.path("ca-bundle.crt"))
	if err != nil {
		return "", err
	}
	return file, certs.WriteBundle(file, p.getenv("SSL_CERT_FILE"), ca)
}

// clients is how programs reach the platform.
type clients struct {
	heroku   string // HEROKU_HOST
	api      string // base URL, which the CLI makes of it
	registry string
	bundle   string // a file of CAs; empty without TLS
	notes    []string
}

// clientsOf finds the way that the official CLI can go. It looks at its host
// twice. First, the text must end with a domain of Heroku's or have localhost or
// 127.0.0.1 anywhere; if not, it would send everything to Heroku, token and all.
// Second, it adds the token by itself for Heroku's domains and for localhost;
// for all others HEROKU_HEADERS does. It makes the registry's name of a bare
// domain only, and leaves no place for a port in it.
func clientsOf(s Settings) clients {
	scheme, port := s.front()
	if scheme == "https" && port == "" && cliTakes(s.Domain) {
		return clients{heroku: s.Domain, api: "https://api." + s.Domain, registry: "registry." + s.Domain}
	}
	c := clients{api: scheme + "://" + s.apiAddress(), registry: s.plainRegistry()}
	c.heroku = c.api
	if !cliTakes(c.heroku) {
		c.heroku += "/localhost"
	}
	switch {
	case scheme == "https" && port == "":
		c.registry = "registry." + s.Domain
		c.notes = append(c.notes, fmt.Sprintf("the heroku CLI takes no host below %s: a domain must have the word "+
			"localhost in it, such as localhost.%[1]s. HEROKU_HOST is %s, which it takes; its container commands do not "+
			"work with that, so push with docker to %s.", s.Domain, c.heroku, c.registry))
	default:
		c.notes = append(c.notes, fmt.Sprintf("the heroku CLI's container commands need HTTPS on port 443, which is not "+
			"served: push with docker to %s, or start Renga with --listen-tls 127.0.0.1:443.", c.registry))
	}
	return c
}

// cliTakes tells whether the official CLI takes it for HEROKU_HOST.
func cliTakes(host string) bool {
	bare := strings.TrimPrefix(strings.TrimPrefix(host, "https://"), "http://")
	for _, domain := range []string{"heroku.com", "herokai.com", "herokuspace.com", "herokudev.com"} {
		if bare == domain || strings.HasSuffix(bare, "."+domain) {
			return true
		}
	}
	return strings.Contains(bare, "localhost") || strings.Contains(bare, "127.0.0.1")
}

// apiAddress is host:port of the API: localhost when the front is there, which
// needs no name to be resolved, and the API's name elsewhere.
func (s *Settings) apiAddress() string {
	at := s.Listen
	if len(s.ListenTLS) > 0 {
		at = s.ListenTLS
	}
	host, port, _ := net.SplitHostPort(reachable(at[0])) // validated
	scheme, shown := s.front()
	switch ip, err := netip.ParseAddr(host); {
	case scheme == "https" && shown == "":
		return "api." + s.Domain
	case host == "localhost" || err == nil && ip == netip.AddrFrom4([4]byte{127, 0, 0, 1}):
		host = "localhost"
	case err != nil || !ip.IsLoopback():
		host = "api." + s.Domain
	}
	if shown == "" {
		return host
	}
	return net.JoinHostPort(host, port)
}

// plainRegistry is the registry without TLS and without a name.
func (s *Settings) plainRegistry() string {
	return strings.Replace(reachable(s.Listen[0]), "127.0.0.1:", "localhost:", 1)
}

type variable struct{ name, value string }

func (c clients) variables(s Settings, token string) []variable {
	headers, _ := json.Marshal(map[string]string{"authorization": "Bearer " + token, "x-renga-token": token}) // strings
	host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(c.api, "https://"), "http://"), ":")
	all := []variable{
		{"RENGA_URL", c.api}, {"RENGA_TOKEN", token}, {"RENGA_DOMAIN", s.Domain}, {"RENGA_REGISTRY", c.registry},
		{"HEROKU_HOST", c.heroku}, {"HEROKU_API_KEY", token}, {"HEROKU_HEADERS", string(headers)},
		// Each of these is Heroku's by default, and some get the token.
		{"HEROKU_PARTICLEBOARD_URL", c.api}, {"HEROKU_LOGIN_HOST", c.api}, {"HEROKU_DATA_HOST", host},
		{"HEROKU_EXEC_URL", c.api + "/"}, {"HEROKU_BUILDPACK_REGISTRY_URL", c.api}, {"HEROKU_STATUS_HOST", c.api},
		{"HEROKU_ANALYTICS_URL", c.api}, {"HEROKU_CI_WEBSOCKET_URL", "ws" + strings.TrimPrefix(c.api, "http") + "/socket"},
		{"DISABLE_TELEMETRY", "true"}, {"HEROKU_SKIP_NEW_VERSION_CHECK", "true"}, {"HEROKU_DISABLE_AUTOUPDATE", "1"},
	}
	if c.bundle == "" {
		return all
	}
	for _, name := range []string{"NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE", "SSL_CERT_FILE"} {
		all = append(all, variable{name, c.bundle})
	}
	return all
}

// unresolved notes when this machine does not know the API's name. curl and
// browsers know those below localhost by themselves; Node and dockerd do not.
func unresolved(ctx context.Context, api string) []string {
	host := strings.TrimPrefix(strings.TrimPrefix(api, "https://"), "http://")
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	if _, err := net.DefaultResolver.LookupHost(ctx, host); err == nil {
		return nil
	}
	return []string{host + " is not known to this machine: run `renga hosts --install` as root, or have it in your DNS."}
}

// quote makes a word for any POSIX shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
