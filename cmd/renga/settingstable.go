package main

import (
	"net/netip"
	"slices"

	"renga/addons/backups/bucket"
)

// setting is one row of the table: how it is called, what it is by default, how a
// text becomes a value, and what it is for.
type setting struct {
	flag, env, value string
	set              func(text string) error
	usage            string
}

// table is every setting with its default. It sets s.
func table(s *Settings) []setting {
	return slices.Concat(servingSettings(s), neighbourSettings(s), limitSettings(s), dynoSettings(s), buildSettings(s), logSettings(s))
}

// servingSettings say where the platform is, and how clients reach it.
func servingSettings(s *Settings) []setting {
	return []setting{
		{"data", "RENGA_DATA", "/var/lib/renga", text(&s.Data),
			"directory that holds everything Renga keeps"},
		{"listen", "RENGA_LISTEN", "127.0.0.1:5000", addresses(&s.Listen),
			"addresses to serve HTTP on, host:port, separated by commas"},
		{"listen-tls", "RENGA_LISTEN_TLS", "127.0.0.1:5443", orOff(addresses(&s.ListenTLS)),
			"addresses to serve HTTPS on, host:port, separated by commas; off for none. The Heroku CLI's container " +
				"commands need port 443"},
		{"metrics-listen", "RENGA_METRICS_LISTEN", "127.0.0.1:5001", text(&s.MetricsListen),
			"loopback address for Prometheus metrics, host:port; empty for none"},
		{"bastion", "RENGA_BASTION", "", text(&s.Bastion),
			"host on whose port 22 Heroku's CLI reaches add-ons by SSH, for pg:psql and the like; empty for none"},
		{"bastion-listen", "RENGA_BASTION_LISTEN", "off", orOff(addresses(&s.BastionListen)),
			"addresses to serve SSH on for that, host:port, separated by commas; off when port 22 of that host leads to a " +
				"listen address"},
		{"domain", "RENGA_DOMAIN", "renga.localhost", text(&s.Domain),
			"domain below which apps and the platform have their names"},
		{"tls-cert", "RENGA_TLS_CERT", "", text(&s.TLSCert),
			"file with a certificate for the domain and its chain, PEM; read again when it changes"},
		{"tls-key", "RENGA_TLS_KEY", "", text(&s.TLSKey),
			"file with that certificate's key, PEM"},
		{"acme-directory", "RENGA_ACME_DIRECTORY", "", text(&s.ACMEDirectory),
			"ACME server to order certificates from, its directory's URL, or letsencrypt; empty for the local CA"},
		{"acme-email", "RENGA_ACME_EMAIL", "", text(&s.ACMEEmail),
			"email that the ACME server may write to"},
		{"acme-root", "RENGA_ACME_ROOT", "", text(&s.ACMERoot),
			"file with the CA to trust for the ACME server, PEM; empty for the system's"},
	}
}

// neighbourSettings say what Renga works with: Redis, Docker, networks.
func neighbourSettings(s *Settings) []setting {
	return []setting{
		{"redis-url", "REDIS_URL", "", text(&s.RedisURL),
			"Redis to keep records in: redis://, rediss://, unix://, redis+sentinel://, redis+cluster://; empty starts a " +
				"redis-server below the data directory"},
		{"redis-server", "RENGA_REDIS_SERVER", "redis-server", text(&s.RedisServer),
			"program to start when no Redis URL is given"},
		{"docker-host", "DOCKER_HOST", "", text(&s.DockerHost),
			"Docker Engine's address; empty for the usual socket"},
		{"registry-address", "RENGA_REGISTRY_ADDRESS", "", text(&s.RegistryAddress),
			"host:port where the Docker Engine reaches the registry; empty for the first listen address"},
		{"network-pool", "RENGA_NETWORK_POOL", "10.224.0.0/12", text(&s.NetworkPool),
			"addresses for the apps' networks, a prefix; each app takes 256"},
		{"addons", "RENGA_ADDONS", "", text(&s.AddOns),
			"directory with files of add-on services, which add to those that are shipped or take their places; read at " +
				"the start"},
		{"backups", "RENGA_BACKUPS", "", text(&s.Backups),
			"where to keep backups of add-ons' data: a directory, or a bucket as s3://bucket/prefix; empty for backups below the " +
				"data directory"},
		{"s3-endpoint", "RENGA_S3_ENDPOINT", bucket.DefaultEndpoint, text(&s.S3Endpoint),
			"where the bucket of backups is, an https or http URL"},
		{"s3-region", "RENGA_S3_REGION", "", text(&s.S3Region),
			"region of that bucket; empty to ask the endpoint"},
		{"s3-credentials", "RENGA_S3_CREDENTIALS", "", text(&s.S3Credentials),
			"file with the bucket's keys, in the form of AWS's shared credentials, which only Renga's user may read; empty for " +
				"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the environment"},
		{"keep-backups", "RENGA_KEEP_BACKUPS", "7:4:25", retention(&s.KeepBackups),
			"how many backups of an add-on are kept: of the last days, of the last weeks, and of those that somebody asked for"},
		{"prove-backups", "RENGA_PROVE_BACKUPS", "true", boolean(&s.ProveBackups),
			"whether each backup is proven by restoring it into a service of its own beside, one at a time, true or false"},
		{"egress-allow", "RENGA_EGRESS_ALLOW", "", networks(&s.EgressAllow),
			"loopback, private or link-local networks that webhooks, log drains and imports may reach all the same, prefixes " +
				"separated by commas"},
		{"dyno-egress-allow", "RENGA_DYNO_EGRESS_ALLOW", "", networks(&s.DynoEgressAllow),
			"networks that dynos may reach besides the internet and the platform's own front: private ones, addresses of " +
				"this machine; prefixes separated by commas. Link-local addresses and the clouds' metadata services cannot " +
				"be allowed"},
		{"trusted-proxies", "RENGA_TRUSTED_PROXIES", "", networks((*[]netip.Prefix)(&s.TrustedProxies)),
			"networks of the balancers and CDNs in front of Renga, prefixes separated by commas; their X-Forwarded-For, " +
				"-Proto and -Port and their PROXY protocol are believed"},
		{"platform", "RENGA_PLATFORM", defaultPlatform, text(&s.Platform),
			"platform that images must be for, os/architecture"},
	}
}

// limitSettings say who may do how much.
func limitSettings(s *Settings) []setting {
	return []setting{
		{"owner-email", "RENGA_OWNER_EMAIL", "operator@renga.localhost", text(&s.OwnerEmail),
			"email of the account made at the first start"},
		{"rate-limit", "RENGA_RATE_LIMIT", "4500", number(&s.RateLimit),
			"API requests that each account may make in an hour"},
		{"max-connections", "RENGA_MAX_CONNECTIONS", "0", number(&s.MaxConnections),
			"connections from clients at a time; 0 for 20000, or as many as the limit of open files allows"},
		{"max-connections-per-address", "RENGA_MAX_CONNECTIONS_PER_ADDRESS", "0", number(&s.MaxConnectionsPerAddress),
			"connections from one address at a time, from one /64 of IPv6; those of trusted proxies count for their " +
				"clients, or not at all; 0 for a quarter of all"},
		{"create-on-push", "RENGA_CREATE_ON_PUSH", "true", boolean(&s.CreateOnPush),
			"whether a push to an unknown app creates it, true or false"},
		{"max-image-size", "RENGA_MAX_IMAGE_SIZE", "10GB", size(&s.MaxImageSize),
			"largest image, its compressed layers together, in bytes or with kB, MB, GB; 0 for no limit"},
		{"max-unpacked-size", "RENGA_MAX_UNPACKED_SIZE", "20GB", size(&s.MaxUnpackedSize),
			"what an image may take when its layers are unpacked, in bytes or with kB, MB, GB; 0 for no limit"},
		{"max-repository-size", "RENGA_MAX_REPOSITORY_SIZE", "1GB", size(&s.MaxRepositorySize),
			"what an app's git repository may take, and one push bring, at least 1MB, in bytes or with kB, MB, GB"},
		{"min-free-disk", "RENGA_MIN_FREE_DISK", "1GB", size(&s.MinFreeDisk),
			"free disk space below which pushes are refused, in bytes or with kB, MB, GB"},
		{"low-disk", "RENGA_LOW_DISK", "5GB", size(&s.LowDisk),
			"free disk space below which Renga warns, and rids the registry early of what nothing needs, in bytes or with kB, " +
				"MB, GB"},
		{"app-quota", "RENGA_APP_QUOTA", "0", size(&s.AppQuota),
			"what an app may have in the registry unless it was given a quota of its own, in bytes or with kB, MB, GB; 0 for " +
				"no limit"},
		{"max-backup-size", "RENGA_MAX_BACKUP_SIZE", "100GB", size(&s.MaxBackupSize),
			"largest dump of an add-on's data, in bytes or with kB, MB, GB; 0 for no limit"},
		{"gc-every", "RENGA_GC_EVERY", "6h", orOff(duration(&s.GCEvery)),
			"how often the registry and Docker are rid of images that nothing needs any more, a duration; off for only " +
				"by renga gc"},
		{"gc-grace", "RENGA_GC_GRACE", "24h", duration(&s.GCGrace),
			"how long content of the registry stays after its last use, a duration of a minute or more; longer than a push " +
				"takes"},
		{"log-bytes", "RENGA_LOG_BYTES", "10MB", size(&s.LogBytes),
			"what the log of one app may take on disk, at least 1MB, in bytes or with kB, MB, GB"},
		{"sizes", "RENGA_SIZES", "", sizes(&s.Sizes),
			"dyno sizes to add or change: name=memory:cpus or name=memory:cpus:disk, separated by commas, such as " +
				"standard-1x=512MB:1:2GB"},
	}
}

// dynoSettings say how dynos run, and for how long.
func dynoSettings(s *Settings) []setting {
	return []setting{
		{"port", "RENGA_PORT", "8080", number(&s.Port),
			"port that web dynos are told to listen on in $PORT"},
		{"boot-timeout", "RENGA_BOOT_TIMEOUT", "60s", duration(&s.BootTimeout),
			"how long a web dyno may take to listen, a duration"},
		{"drain-timeout", "RENGA_DRAIN_TIMEOUT", "30s", duration(&s.DrainTimeout),
			"how long requests in flight may take before an old dyno is told to end, a duration"},
		{"stop-grace", "RENGA_STOP_GRACE", "30s", duration(&s.StopGrace),
			"how long a dyno has between SIGTERM and SIGKILL, a duration"},
		{"deploy-timeout", "RENGA_DEPLOY_TIMEOUT", "30m", duration(&s.DeployTimeout),
			"for a release to come up, besides its release command and its time as a canary, a duration"},
		{"watch-window", "RENGA_WATCH_WINDOW", "5m", duration(&s.WatchWindow),
			"how long a release is watched after it took over; one that crashes again and again meanwhile, or fails most " +
				"of its requests, is taken back, a duration"},
		{"release-timeout", "RENGA_RELEASE_TIMEOUT", "1h", duration(&s.ReleaseTimeout),
			"how long a release command may run, a duration"},
		{"metrics-every", "RENGA_METRICS_EVERY", "20s", duration(&s.MetricsEvery),
			"how often is measured what dynos use, a duration between a second and a minute; add-ons are measured every third time"},
		{"shutdown-timeout", "RENGA_SHUTDOWN_TIMEOUT", "60s", duration(&s.ShutdownTimeout),
			"how long pushes and requests may take to finish when Renga ends, a duration"},
	}
}

// buildSettings say how source code becomes images.
func buildSettings(s *Settings) []setting {
	return []setting{
		{"builder", "RENGA_BUILDER", "heroku/builder:24", text(&s.Builder),
			"image of the Cloud Native Buildpacks builder that builds apps from their source code"},
		{"parallel-builds", "RENGA_PARALLEL_BUILDS", "2", number(&s.ParallelBuilds),
			"how many builds are under way at once, 1 to 32; the others wait"},
		{"build-timeout", "RENGA_BUILD_TIMEOUT", "15m", duration(&s.BuildTimeout),
			"how long a build may take, a duration"},
		{"build-memory", "RENGA_BUILD_MEMORY", "2GB", size(&s.BuildMemory),
			"memory of a build, in bytes or with kB, MB, GB"},
		{"build-disk", "RENGA_BUILD_DISK", "8GB", size(&s.BuildDisk),
			"what a build may write, in bytes or with kB, MB, GB; 0 for no limit"},
		{"max-source-size", "RENGA_MAX_SOURCE_SIZE", "1GB", size(&s.MaxSource),
			"largest source of one build, as it is sent, in bytes or with kB, MB, GB"},
	}
}

// logSettings are those of Renga's own log.
func logSettings(s *Settings) []setting {
	return []setting{
		{"log-level", "RENGA_LOG_LEVEL", "info", text(&s.LogLevel),
			"debug, info, warn or error"},
		{"log-format", "RENGA_LOG_FORMAT", "text", text(&s.LogFormat),
			"text or json"},
	}
}
