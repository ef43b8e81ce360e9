package main

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"renga"
	"renga/addons/backups"
	"renga/addons/backups/bucket"
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
	Bastion         string   // empty: Heroku's CLI reaches no add-ons
	BastionListen   []string // empty: none besides Listen
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
	AddOns          string // a directory of the operator's; empty: only what is shipped
	Backups         string // a directory or s3://bucket/prefix; empty: below the data directory
	S3Endpoint      string
	S3Region        string // empty: the endpoint is asked
	S3Credentials   string // a file; empty: the environment
	MaxBackupSize   int64
	KeepBackups     backups.Retention
	ProveBackups    bool
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
	MaxRepositorySize                        int64
	MinFreeDisk                              int64
	LowDisk                                  int64
	AppQuota                                 int64
	GCEvery                                  time.Duration // 0: only when asked for
	GCGrace                                  time.Duration
	LogBytes                                 int64
	Sizes                                    map[string]renga.Size
	Port                                     int
	BootTimeout                              time.Duration
	DrainTimeout                             time.Duration
	StopGrace                                time.Duration
	ReleaseTimeout                           time.Duration
	DeployTimeout                            time.Duration
	WatchWindow                              time.Duration
	MetricsEvery                             time.Duration
	ShutdownTimeout                          time.Duration
	Builder                                  string // an image
	ParallelBuilds                           int
	BuildTimeout                             time.Duration
	BuildMemory, BuildDisk, MaxSource        int64
	LogLevel                                 string
	LogFormat                                string
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
	var s Settings
	rows := table(&s)
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
	var wrong []error
	for i, row := range rows {
		if err := row.set(texts[i].text); err != nil {
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

// bastionHost tells whether the official CLI can connect to a host of that name.
func bastionHost(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || domainName.MatchString(host)
}

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
	check(s.Builder != "", "--builder: name an image")
	check(s.ParallelBuilds >= 1 && s.ParallelBuilds <= 32, "--parallel-builds: choose 1 to 32")
	check(s.BuildTimeout >= time.Minute, "--build-timeout: choose a minute or more")
	check(s.BuildMemory >= 256<<20, "--build-memory: choose 256MB or more")
	check(s.MaxSource > 0, "--max-source-size: choose more than 0")
	check((s.TLSCert == "") == (s.TLSKey == ""), "--tls-cert, --tls-key: name both files, or none")
	knownACME := s.ACMEDirectory == "" || s.ACMEDirectory == certs.LetsEncrypt
	check(knownACME || strings.HasPrefix(s.ACMEDirectory, "https://"),
		"--acme-directory: %q is neither an https URL nor %s", s.ACMEDirectory, certs.LetsEncrypt)
	check(s.ACMEDirectory == "" || len(s.ListenTLS) > 0, "--acme-directory: certificates are of no use without --listen-tls")
	check(s.Bastion == "" || bastionHost(s.Bastion), "--bastion: %q is no host name or address, and its port is always 22", s.Bastion)
	check(len(s.BastionListen) == 0 || s.Bastion != "", "--bastion-listen: name the host with --bastion, too")
	check(s.MetricsListen == "" || loopback(s.MetricsListen),
		"--metrics-listen: %q is not a loopback address; metrics are for this machine only", s.MetricsListen)
	pool, err := netip.ParsePrefix(s.NetworkPool)
	check(err == nil && pool.Addr().Is4() && pool.Bits() <= 24,
		"--network-pool: %q is no IPv4 prefix of at least 256 addresses, such as 10.224.0.0/12", s.NetworkPool)
	check(strings.Count(s.Platform, "/") >= 1, "--platform: %q is not os/architecture, such as linux/amd64", s.Platform)
	check(strings.Contains(s.OwnerEmail, "@"), "--owner-email: %q is no email address", s.OwnerEmail)
	check(s.MaxRepositorySize >= 1_000_000, "--max-repository-size: %d is less than 1MB", s.MaxRepositorySize)
	check(s.GCGrace >= time.Minute, "--gc-grace: %s is less than a minute", s.GCGrace)
	check(s.GCEvery == 0 || s.GCEvery >= time.Minute, "--gc-every: %s is less than a minute", s.GCEvery)
	check(s.LogBytes >= 1_000_000, "--log-bytes: %d is less than 1MB", s.LogBytes)
	check(s.MetricsEvery >= time.Second && s.MetricsEvery <= time.Minute,
		"--metrics-every: %s is not between a second and a minute", s.MetricsEvery)
	check(s.Port >= 1 && s.Port <= 65535, "--port: %d is no port", s.Port)
	check(s.RateLimit > 0, "--rate-limit: %d is no number above zero", s.RateLimit)
	check(s.MaxConnections >= 0, "--max-connections: %d is less than none", s.MaxConnections)
	check(s.MaxConnectionsPerAddress >= 0, "--max-connections-per-address: %d is less than none", s.MaxConnectionsPerAddress)
	check(slices.Contains([]string{"debug", "info", "warn", "error"}, s.LogLevel),
		"--log-level: %q is none of debug, info, warn, error", s.LogLevel)
	check(s.LogFormat == "text" || s.LogFormat == "json", "--log-format: %q is neither text nor json", s.LogFormat)
	for _, n := range s.DynoEgressAllow {
		isWithin := func(never netip.Prefix) bool { return never.Contains(n.Addr()) && n.Bits() >= never.Bits() }
		check(!slices.ContainsFunc(firewall.Never, isWithin),
			"--dyno-egress-allow: %s is link-local or a cloud's metadata service, which no dyno may reach", n)
	}
	if s.hasBucket() {
		err := s.bucketOptions().Check()
		check(err == nil, "--backups, --s3-endpoint: %v", err)
	}
	return wrong
}

// hasBucket tells whether backups are kept in a bucket.
func (s *Settings) hasBucket() bool { return strings.HasPrefix(s.Backups, bucket.Scheme) }

func (s *Settings) bucketOptions() bucket.Options {
	return bucket.Options{
		URL: s.Backups, Endpoint: s.S3Endpoint, Region: s.S3Region, Credentials: s.S3Credentials, MaxBytes: s.MaxBackupSize,
	}
}
