package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"renga"
	"renga/certs"
	"renga/firewall"
)

// Settings are the server's own configuration. What apps are configured with is
// called config and has nothing to do with it.
type Settings struct {
	Data            string
	Listen          []string
	ListenTLS       []string // empty: no HTTPS
	MetricsListen   string
	Domain          string
	TLSCert         string // a file, as the next
	TLSKey          string
	ACMEDirectory   string // empty: no ACME
	ACMEEmail       string
	ACMERoot        string
	RedisURL        string // empty: a supervised child
	RedisServer     string
	DockerHost      string // empty: the client's default
	RegistryAddress string
	NetworkPool     string
	EgressAllow     []netip.Prefix
	DynoEgressAllow []netip.Prefix
	TrustedProxies  renga.Proxies
	Platform        string
	OwnerEmail      string
	RateLimit       int
	// MaxConnections and MaxConnectionsPerAddress are zero for what the files
	// that may be open allow.
	MaxConnections, MaxConnectionsPerAddress int
	CreateOnPush                             bool
	MaxImageSize                             int64
	MaxUnpackedSize                          int64
	MinFreeDisk                              int64
	LogBytes                                 int64
	Sizes                                    map[string]renga.Size
	Port                                     int
	BootTimeout                              time.Duration
	DrainTimeout                             time.Duration
	StopGrace                                time.Duration
	ReleaseTimeout                           time.Duration
	DeployTimeout                            time.Duration
	WatchWindow                              time.Duration
	ShutdownTimeout                          time.Duration
	LogLevel                                 string
	LogFormat                                string
}

// setting is one line of the table: how it is called, what it is by default,
// and how a text becomes a value.
type setting struct {
	flag, env, value, usage string
	set                     func(s *Settings, text string) error
}

// table is every setting with its default.
func table() []setting {
	return []setting{
		{"data", "RENGA_DATA", "/var/lib/renga", "directory that holds everything Renga keeps", text(func(s *Settings) *string { return &s.Data })},
		{"listen", "RENGA_LISTEN", "127.0.0.1:5000", "addresses to serve HTTP on, host:port, separated by commas", addresses(func(s *Settings) *[]string { return &s.Listen })},
		{"listen-tls", "RENGA_LISTEN_TLS", "127.0.0.1:5443", "addresses to serve HTTPS on, host:port, separated by commas; off for none. The Heroku CLI's container commands need port 443", orOff(addresses(func(s *Settings) *[]string { return &s.ListenTLS }))},
		{"metrics-listen", "RENGA_METRICS_LISTEN", "127.0.0.1:5001", "loopback address for Prometheus metrics, host:port; empty for none", text(func(s *Settings) *string { return &s.MetricsListen })},
		{"domain", "RENGA_DOMAIN", "renga.localhost", "domain below which apps and the platform have their names", text(func(s *Settings) *string { return &s.Domain })},
		{"tls-cert", "RENGA_TLS_CERT", "", "file with a certificate for the domain and its chain, PEM; read again when it changes", text(func(s *Settings) *string { return &s.TLSCert })},
		{"tls-key", "RENGA_TLS_KEY", "", "file with that certificate's key, PEM", text(func(s *Settings) *string { return &s.TLSKey })},
		{"acme-directory", "RENGA_ACME_DIRECTORY", "", "ACME server to order certificates from, its directory's URL, or letsencrypt; empty for the local CA", text(func(s *Settings) *string { return &s.ACMEDirectory })},
		{"acme-email", "RENGA_ACME_EMAIL", "", "email that the ACME server may write to", text(func(s *Settings) *string { return &s.ACMEEmail })},
		{"acme-root", "RENGA_ACME_ROOT", "", "file with the CA to trust for the ACME server, PEM; empty for the system's", text(func(s *Settings) *string { return &s.ACMERoot })},
		{"redis-url", "REDIS_URL", "", "Redis to keep records in: redis://, rediss://, unix://, redis+sentinel://, redis+cluster://; empty starts a redis-server below the data directory", text(func(s *Settings) *string { return &s.RedisURL })},
		{"redis-server", "RENGA_REDIS_SERVER", "redis-server", "program to start when no Redis URL is given", text(func(s *Settings) *string { return &s.RedisServer })},
		{"docker-host", "DOCKER_HOST", "", "Docker Engine's address; empty for the usual socket", text(func(s *Settings) *string { return &s.DockerHost })},
		{"registry-address", "RENGA_REGISTRY_ADDRESS", "", "host:port where the Docker Engine reaches the registry; empty for the first listen address", text(func(s *Settings) *string { return &s.RegistryAddress })},
		{"network-pool", "RENGA_NETWORK_POOL", "10.224.0.0/12", "addresses for the apps' networks, a prefix; each app takes 256", text(func(s *Settings) *string { return &s.NetworkPool })},
		{"egress-allow", "RENGA_EGRESS_ALLOW", "", "loopback, private or link-local networks that webhooks and log drains may reach all the same, prefixes separated by commas", networks(func(s *Settings) *[]netip.Prefix { return &s.EgressAllow })},
		{"dyno-egress-allow", "RENGA_DYNO_EGRESS_ALLOW", "", "networks that dynos may reach besides the internet and the platform's own front: private ones, addresses of this machine; prefixes separated by commas. Link-local addresses and the clouds' metadata services cannot be allowed", networks(func(s *Settings) *[]netip.Prefix { return &s.DynoEgressAllow })},
		{"trusted-proxies", "RENGA_TRUSTED_PROXIES", "", "networks of the balancers and CDNs in front of Renga, prefixes separated by commas; their X-Forwarded-For, -Proto and -Port and their PROXY protocol are believed", networks(func(s *Settings) *[]netip.Prefix { return (*[]netip.Prefix)(&s.TrustedProxies) })},
		{"platform", "RENGA_PLATFORM", defaultPlatform, "platform that images must be for, os/architecture", text(func(s *Settings) *string { return &s.Platform })},
		{"owner-email", "RENGA_OWNER_EMAIL", "operator@renga.localhost", "email of the account made at the first start", text(func(s *Settings) *string { return &s.OwnerEmail })},
		{"rate-limit", "RENGA_RATE_LIMIT", "4500", "API requests that each account may make in an hour", number(func(s *Settings) *int { return &s.RateLimit })},
		{"max-connections", "RENGA_MAX_CONNECTIONS", "0", "connections from clients at a time; 0 for 20000, or as many as the limit of open files allows", number(func(s *Settings) *int { return &s.MaxConnections })},
		{"max-connections-per-address", "RENGA_MAX_CONNECTIONS_PER_ADDRESS", "0", "connections from one address at a time, from one /64 of IPv6; those of trusted proxies count for their clients, or not at all; 0 for a quarter of all", number(func(s *Settings) *int { return &s.MaxConnectionsPerAddress })},
		{"create-on-push", "RENGA_CREATE_ON_PUSH", "true", "whether a push to an unknown app creates it, true or false", boolean(func(s *Settings) *bool { return &s.CreateOnPush })},
		{"max-image-size", "RENGA_MAX_IMAGE_SIZE", "10GB", "largest image, its compressed layers together, in bytes or with kB, MB, GB; 0 for no limit", size(func(s *Settings) *int64 { return &s.MaxImageSize })},
		{"max-unpacked-size", "RENGA_MAX_UNPACKED_SIZE", "20GB", "what an image may take when its layers are unpacked, in bytes or with kB, MB, GB; 0 for no limit", size(func(s *Settings) *int64 { return &s.MaxUnpackedSize })},
		{"min-free-disk", "RENGA_MIN_FREE_DISK", "1GB", "free disk space below which pushes are refused, in bytes or with kB, MB, GB", size(func(s *Settings) *int64 { return &s.MinFreeDisk })},
		{"log-bytes", "RENGA_LOG_BYTES", "10MB", "what the log of one app may take on disk, at least 1MB, in bytes or with kB, MB, GB", size(func(s *Settings) *int64 { return &s.LogBytes })},
		{"sizes", "RENGA_SIZES", "", "dyno sizes to add or change: name=memory:cpus or name=memory:cpus:disk, separated by commas, such as standard-1x=512MB:1:2GB", sizes},
		{"port", "RENGA_PORT", "8080", "port that web dynos are told to listen on in $PORT", number(func(s *Settings) *int { return &s.Port })},
		{"boot-timeout", "RENGA_BOOT_TIMEOUT", "60s", "how long a web dyno may take to listen, a duration", duration(func(s *Settings) *time.Duration { return &s.BootTimeout })},
		{"drain-timeout", "RENGA_DRAIN_TIMEOUT", "30s", "how long requests in flight may take before an old dyno is told to end, a duration", duration(func(s *Settings) *time.Duration { return &s.DrainTimeout })},
		{"stop-grace", "RENGA_STOP_GRACE", "30s", "how long a dyno has between SIGTERM and SIGKILL, a duration", duration(func(s *Settings) *time.Duration { return &s.StopGrace })},
		{"deploy-timeout", "RENGA_DEPLOY_TIMEOUT", "30m", "for a release to come up, besides its release command and its time as a canary, a duration", duration(func(s *Settings) *time.Duration { return &s.DeployTimeout })},
		{"watch-window", "RENGA_WATCH_WINDOW", "5m", "how long a release is watched after it took over; one that crashes again and again meanwhile, or fails most of its requests, is taken back, a duration", duration(func(s *Settings) *time.Duration { return &s.WatchWindow })},
		{"release-timeout", "RENGA_RELEASE_TIMEOUT", "1h", "how long a release command may run, a duration", duration(func(s *Settings) *time.Duration { return &s.ReleaseTimeout })},
		{"shutdown-timeout", "RENGA_SHUTDOWN_TIMEOUT", "60s", "how long pushes and requests may take to finish when Renga ends, a duration", duration(func(s *Settings) *time.Duration { return &s.ShutdownTimeout })},
		{"log-level", "RENGA_LOG_LEVEL", "info", "debug, info, warn or error", text(func(s *Settings) *string { return &s.LogLevel })},
		{"log-format", "RENGA_LOG_FORMAT", "text", "text or json", text(func(s *Settings) *string { return &s.LogFormat })},
	}
}

// raw is a flag whose text is judged later, with all the others.
type raw struct {
	text   string
	isBool bool
}

func (r *raw) String() string     { return r.text }
func (r *raw) Set(s string) error { r.text = s; return nil }
func (r *raw) IsBoolFlag() bool   { return r.isBool }

// parseSettings reads flags over environment over defaults, and returns the
// arguments that are no flags. All mistakes are told at once, one line each; a
// bad value never turns silently into the default. A command may have flags of
// its own beside the settings.
func (p *program) parseSettings(name string, args []string, own ...func(*flag.FlagSet)) (Settings, []string, error) {
	rows := table()
	flags := flag.NewFlagSet("renga "+name, flag.ContinueOnError)
	flags.SetOutput(p.err)
	flags.Usage = func() { p.settingsUsage(flags, rows) }
	for _, add := range own {
		add(flags)
	}
	texts := make([]*raw, len(rows))
	for i, row := range rows {
		texts[i] = &raw{text: row.value, isBool: row.flag == "create-on-push"}
		if fromEnv := p.getenv(row.env); fromEnv != "" {
			texts[i].text = fromEnv
		}
		flags.Var(texts[i], row.flag, row.usage)
	}
	if err := flags.Parse(args); err != nil {
		return Settings{}, nil, err
	}
	var s Settings
	var wrong []error
	for i, row := range rows {
		if err := row.set(&s, texts[i].text); err != nil {
			wrong = append(wrong, fmt.Errorf("--%s (%s): %w", row.flag, row.env, err))
		}
	}
	return s, flags.Args(), errors.Join(append(wrong, s.validate()...)...)
}

func (p *program) settingsUsage(flags *flag.FlagSet, rows []setting) {
	fmt.Fprintf(p.err, "Usage: %s [settings]\n\n", flags.Name())
	flags.VisitAll(func(f *flag.Flag) {
		if _, isSetting := f.Value.(*raw); !isSetting {
			fmt.Fprintf(p.err, "  --%s\n        %s\n", f.Name, f.Usage)
		}
	})
	fmt.Fprint(p.err, "\nEach setting is a flag or an environment variable; the flag wins.\n\n")
	for _, row := range rows {
		def := row.value
		if def == "" {
			def = "none"
		}
		fmt.Fprintf(p.err, "  --%s, %s (default %s)\n        %s\n", row.flag, row.env, def, row.usage)
	}
}

var domainName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

// validate tells everything that is wrong with readable values.
func (s *Settings) validate() []error {
	var wrong []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	check(s.Data != "", "--data: name a directory")
	check(domainName.MatchString(s.Domain), "--domain: %q is no domain name in lower case", s.Domain)
	check((s.TLSCert == "") == (s.TLSKey == ""), "--tls-cert, --tls-key: name both files, or none")
	check(s.ACMEDirectory == "" || s.ACMEDirectory == certs.LetsEncrypt || strings.HasPrefix(s.ACMEDirectory, "https://"), "--acme-directory: %q is neither an https URL nor %s", s.ACMEDirectory, certs.LetsEncrypt)
	check(s.ACMEDirectory == "" || len(s.ListenTLS) > 0, "--acme-directory: certificates are of no use without --listen-tls")
	check(s.MetricsListen == "" || loopback(s.MetricsListen), "--metrics-listen: %q is not a loopback address; metrics are for this machine only", s.MetricsListen)
	pool, err := netip.ParsePrefix(s.NetworkPool)
	check(err == nil && pool.Addr().Is4() && pool.Bits() <= 24, "--network-pool: %q is no IPv4 prefix of at least 256 addresses, such as 10.224.0.0/12", s.NetworkPool)
	check(strings.Count(s.Platform, "/") >= 1, "--platform: %q is not os/architecture, such as linux/amd64", s.Platform)
	check(strings.Contains(s.OwnerEmail, "@"), "--owner-email: %q is no email address", s.OwnerEmail)
	check(s.LogBytes >= 1_000_000, "--log-bytes: %d is less than 1MB", s.LogBytes)
	check(s.Port >= 1 && s.Port <= 65535, "--port: %d is no port", s.Port)
	check(s.RateLimit > 0, "--rate-limit: %d is no number above zero", s.RateLimit)
	check(s.MaxConnections >= 0, "--max-connections: %d is less than none", s.MaxConnections)
	check(s.MaxConnectionsPerAddress >= 0, "--max-connections-per-address: %d is less than none", s.MaxConnectionsPerAddress)
	check(slices.Contains([]string{"debug", "info", "warn", "error"}, s.LogLevel), "--log-level: %q is none of debug, info, warn, error", s.LogLevel)
	check(s.LogFormat == "text" || s.LogFormat == "json", "--log-format: %q is neither text nor json", s.LogFormat)
	for _, n := range s.DynoEgressAllow {
		check(!slices.ContainsFunc(firewall.Never, func(never netip.Prefix) bool { return never.Contains(n.Addr()) && n.Bits() >= never.Bits() }),
			"--dyno-egress-allow: %s is link-local or a cloud's metadata service, which no dyno may reach", n)
	}
	return wrong
}

// registryAddress is where the engine reaches the registry.
func (s *Settings) registryAddress() string {
	if s.RegistryAddress != "" {
		return s.RegistryAddress
	}
	return reachable(s.Listen[0])
}

// reachable is a listen address as clients on this machine write it.
func reachable(address string) string {
	host, port, _ := net.SplitHostPort(address) // validated
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// front is how the platform's names are reached: by HTTPS when it is served.
// The port is empty when it is the scheme's own.
func (s *Settings) front() (scheme, port string) {
	scheme, own, at := "http", "80", s.Listen
	if len(s.ListenTLS) > 0 {
		scheme, own, at = "https", "443", s.ListenTLS
	}
	_, port, _ = net.SplitHostPort(at[0]) // validated
	if port == own {
		port = ""
	}
	return scheme, port
}

// rendezvousPort is where Heroku's CLI attaches to dynos: it wants TLS, and the
// port's number even when it is the usual one. Empty when there is none.
func (s *Settings) rendezvousPort() string {
	if len(s.ListenTLS) == 0 {
		return ""
	}
	_, port, _ := net.SplitHostPort(s.ListenTLS[0]) // validated
	return port
}

// path is a place below the data directory.
func (s *Settings) path(parts ...string) string {
	return filepath.Join(append([]string{s.Data}, parts...)...)
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func text(at func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		*at(s) = v
		return nil
	}
}

func boolean(at func(*Settings) *bool) func(*Settings, string) error {
	return func(s *Settings, v string) (err error) {
		if *at(s), err = strconv.ParseBool(v); err != nil {
			return fmt.Errorf("%q is neither true nor false", v)
		}
		return nil
	}
}

func number(at func(*Settings) *int) func(*Settings, string) error {
	return func(s *Settings, v string) (err error) {
		if *at(s), err = strconv.Atoi(v); err != nil {
			return fmt.Errorf("%q is no whole number", v)
		}
		return nil
	}
}

func duration(at func(*Settings) *time.Duration) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is no duration above zero, such as 60s", v)
		}
		*at(s) = d
		return nil
	}
}

func addresses(at func(*Settings) *[]string) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		for one := range strings.SplitSeq(v, ",") {
			one = strings.TrimSpace(one)
			if _, port, err := net.SplitHostPort(one); err != nil || port == "" {
				return fmt.Errorf("%q is no host:port", one)
			}
			*at(s) = append(*at(s), one)
		}
		return nil
	}
}

// networks reads prefixes; none is a good answer.
func networks(at func(*Settings) *[]netip.Prefix) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		for one := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == ',' || r == ' ' }) {
			prefix, err := netip.ParsePrefix(one)
			if err != nil {
				return fmt.Errorf("%q is no prefix such as 10.0.0.0/8", one)
			}
			*at(s) = append(*at(s), prefix)
		}
		return nil
	}
}

// orOff lets a setting be switched off.
func orOff(set func(*Settings, string) error) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		if v == "off" || v == "" {
			return nil
		}
		return set(s, v)
	}
}
