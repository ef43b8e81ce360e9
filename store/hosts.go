package store

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"

	"renga"
)

const (
	// hostTTL is how long an answer of Redis about a host is used without asking
	// again.
	hostTTL = 500 * time.Millisecond
	// hostTimeout is how long a TLS client waits for Redis.
	hostTimeout = 300 * time.Millisecond
	// hostsKept bounds the hosts in the cache.
	hostsKept = 10_000
)

// Hosts knows custom domains by their names, for TLS: it asks Redis about each
// at most twice a second, and uses the last answer while Redis is away. All
// methods may be called at once from several goroutines.
type Hosts struct {
	db     *Store
	flight singleflight.Group

	mu   sync.Mutex
	held map[string]hostFacts
}

// hostFacts is what Redis last said of a host name.
type hostFacts struct {
	asked   time.Time
	known   bool // it is a domain's, maybe by wildcard
	managed bool // its certificate is the platform's to get
	cert    *tls.Certificate
	certID  string
}

// NewHosts makes Hosts with an empty cache.
func NewHosts(db *Store) *Hosts { return &Hosts{db: db, held: map[string]hostFacts{}} }

// Certificate is the certificate that was given to the host's domain; nil if
// there is none.
func (h *Hosts) Certificate(ctx context.Context, host string) (*tls.Certificate, error) {
	f, err := h.facts(ctx, host)
	return f.cert, err
}

// IsManaged tells whether the host is a custom domain whose certificate is managed.
func (h *Hosts) IsManaged(ctx context.Context, host string) (bool, error) {
	f, err := h.facts(ctx, host)
	return f.managed, err
}

// Managed lists all such hosts.
func (h *Hosts) Managed(ctx context.Context) ([]string, error) {
	apps, err := h.db.Apps(ctx)
	if err != nil {
		return nil, err
	}
	var hosts []string
	for _, a := range apps {
		if !a.ACM {
			continue
		}
		domains, err := h.db.Domains(ctx, a.ID)
		if err != nil && renga.KindOf(err) != renga.NotFound { // else it was removed meanwhile
			return nil, err
		}
		for _, d := range domains {
			if d.Managed(a) {
				hosts = append(hosts, d.Hostname)
			}
		}
	}
	return hosts, nil
}

// facts gives what is known of a host, and asks Redis again if that is older
// than hostTTL.
func (h *Hosts) facts(ctx context.Context, host string) (hostFacts, error) {
	h.mu.Lock()
	old, has := h.held[host]
	h.mu.Unlock()
	if has && time.Since(old.asked) < hostTTL {
		return old, nil
	}
	found, err, _ := h.flight.Do(host, func() (any, error) {
		patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), hostTimeout)
		defer cancel()
		return h.look(patient, host, old)
	})
	if err != nil && has {
		h.keep(host, old) // and do not ask again at once
		return old, nil
	}
	fresh, _ := found.(hostFacts)
	if err == nil {
		h.keep(host, fresh)
	}
	return fresh, err
}

// keep stores what is known of a host in the cache.
func (h *Hosts) keep(host string, f hostFacts) {
	f.asked = time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.held) >= hostsKept {
		// A client that asks for random names must not push out the real ones.
		maps.DeleteFunc(h.held, func(_ string, f hostFacts) bool { return !f.known })
	}
	if len(h.held) < hostsKept {
		h.held[host] = f
	}
}

// look asks Redis about a host.
func (h *Hosts) look(ctx context.Context, host string, old hostFacts) (hostFacts, error) {
	d, err := h.db.domainByHost(ctx, host)
	if renga.KindOf(err) == renga.NotFound {
		return hostFacts{}, nil
	}
	if err != nil {
		return hostFacts{}, err
	}
	a, err := h.db.App(ctx, d.App)
	if renga.KindOf(err) == renga.NotFound { // removed in between
		return hostFacts{}, nil
	}
	if err != nil {
		return hostFacts{}, err
	}
	f := hostFacts{known: true, managed: d.Managed(a)}
	if d.Endpoint == "" {
		return f, nil
	}
	f.cert, f.certID, err = h.db.keyPair(ctx, d.App, d.Endpoint, old)
	return f, err
}

// domainByHost finds the domain that a host name belongs to: the one of that
// very name, or else the longest wildcard. renga.NotFound when there is none.
func (s *Store) domainByHost(ctx context.Context, host string) (renga.Domain, error) {
	var d renga.Domain
	err := s.do(ctx, "find domain "+host, func(ctx context.Context) error {
		var claims *redis.SliceCmd
		err := s.read(ctx, func(p redis.Pipeliner) {
			claims = p.HMGet(ctx, keyClaims, append([]string{host}, renga.WildcardsOf(host)...)...)
		})
		if err != nil {
			return err
		}
		for i := range claims.Val() {
			claim, ok := text(claims.Val(), i)
			if !ok {
				continue
			}
			c, err := decode[claimRecord](keyClaims+" "+host, claim)
			if err != nil {
				return err
			}
			d, err = s.domainByID(ctx, c.App, c.ID)
			return err
		}
		return noDomain(host)
	})
	return d, err
}

func (s *Store) domainByID(ctx context.Context, app renga.AppID, id string) (renga.Domain, error) {
	stored, err := s.db.HGet(ctx, keyDomains(app), id).Result()
	if missing(err) {
		return renga.Domain{}, noDomain(id)
	}
	if err != nil {
		return renga.Domain{}, err
	}
	r, err := decode[domainRecord](keyDomains(app)+" "+id, stored)
	if err == nil && r.Step != stepNone {
		return renga.Domain{}, noDomain(id)
	}
	return r.domain(app, id), err
}

// keyPair opens an endpoint's certificate and key; nil if there is no such
// endpoint. It does not open them again if they have not changed since old.
func (s *Store) keyPair(ctx context.Context, app renga.AppID, id string,
	old hostFacts) (*tls.Certificate, string, error) {
	all, err := readCollection[endpointRecord](ctx, s, endpointCollection(app))
	r, ok := all[id]
	if err != nil || !ok {
		return nil, "", err
	}
	if r.CertificateID == old.certID {
		return old.cert, old.certID, nil
	}
	key, err := s.unseal(endpointSecret(app, id, r.CertificateID), r.Key)
	if err != nil {
		return nil, "", err
	}
	pair, err := tls.X509KeyPair([]byte(r.Chain), []byte(key))
	if err != nil {
		return nil, "", errors.New("the certificate of " + id + " and its key do not fit") // without a word of the key
	}
	return &pair, r.CertificateID, nil
}

// SetACM records the status of a host's managed certificate. It is no error if
// no domain has the host any more.
func (s *Store) SetACM(ctx context.Context, host string, status renga.ACMStatus) error {
	d, err := s.domainByHost(ctx, host)
	if err == nil && d.Hostname == host {
		_, err = s.UpdateDomain(ctx, d.App, d.ID, func(d *renga.Domain) error {
			d.ACM = status
			return nil
		})
	}
	if renga.KindOf(err) == renga.NotFound {
		return nil
	}
	return err
}
