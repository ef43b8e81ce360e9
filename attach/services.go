package attach

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"renga"
)

// Clients connect to add-ons through the platform, so that no port of an add-on
// need be published: over WebSocket with a secret, and over SSH as Heroku's CLI
// does, with a key. Neither is stored, and both end with what they were given for.

// Service is an add-on that a client connects to.
type Service struct {
	// Dial connects to it.
	Dial func(ctx context.Context) (net.Conn, error)
	// Host and Port are those of its URL: over SSH nothing else may be named.
	Host string
	Port uint16
	// Scheme and User are those of its URL. See [Server.ease].
	Scheme, User string
	App, AddOn   string // names, for the log
	// Still is checked at each connection, and as long as it stays.
	Still StillAllowed
}

// ServiceKeys let a client connect to a service.
type ServiceKeys struct {
	Secret  string // ends the path of the WebSocket's URL
	Private string // the key for SSH, in OpenSSH's form
}

// maxServiceClients bounds what is open at once to a service with the same keys:
// connections of SSH, and tunnels.
const maxServiceClients = 64

// openServices are the services that clients have keys for.
type openServices struct {
	seed []byte // of all keys, new with each start
	mu   sync.Mutex
	all  map[string]*openService // bySecret, and byPublicKey
}

type openService struct {
	Service
	keys    ServiceKeys
	clients int
	until   time.Time // while it has no clients
}

func newOpenServices() *openServices {
	seed := make([]byte, secretBytes)
	rand.Read(seed) // never fails
	return &openServices{seed: seed, all: map[string]*openService{}}
}

// OpenService gives keys to a service. The same holder always gets the same keys;
// they are good until nobody has used them for [Options.Idle]. So a holder must name
// who gets them and for what, the version of the service's credential included.
func (d *Server) OpenService(holder string, s Service) (ServiceKeys, error) {
	o := d.services
	secret := hex.EncodeToString(o.derive("websocket", holder))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forgetOld()
	one := o.all[bySecret(secret)]
	if one == nil {
		private, public, err := newKey(o.derive("ssh", holder))
		if err != nil {
			return ServiceKeys{}, err
		}
		one = &openService{keys: ServiceKeys{Secret: secret, Private: private}}
		o.all[bySecret(secret)], o.all[byPublicKey(public)] = one, one
	}
	one.Service, one.until = s, time.Now().Add(d.Idle)
	return one.keys, nil
}

// newKey makes a key for SSH.
func newKey(seed []byte) (private string, public ssh.PublicKey, err error) {
	key := ed25519.NewKeyFromSeed(seed)
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return "", nil, err
	}
	public, err = ssh.NewPublicKey(key.Public())
	return string(pem.EncodeToMemory(block)), public, err
}

// Both begin with what they are, so that a public key opens no WebSocket.
func bySecret(secret string) string           { return "secret " + secret }
func byPublicKey(public ssh.PublicKey) string { return "key " + string(public.Marshal()) }

// derive makes a key of the seed.
func (o *openServices) derive(kind, holder string) []byte {
	mac := hmac.New(sha256.New, o.seed)
	fmt.Fprintf(mac, "%s %s", kind, holder)
	return mac.Sum(nil)
}

// forgetOld drops services that were not used for too long. The lock is held.
func (o *openServices) forgetOld() {
	maps.DeleteFunc(o.all, func(_ string, one *openService) bool {
		return one.clients == 0 && time.Now().After(one.until)
	})
}

// knows tells whether there is a service of that key in all.
func (o *openServices) knows(key string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forgetOld()
	_, ok := o.all[key]
	return ok
}

// enter counts a client of a service. The caller must call leave.
func (d *Server) enter(key string) (s Service, leave func(), err error) {
	o := d.services
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forgetOld()
	one := o.all[key]
	if one == nil {
		return s, nil, renga.Errorf(renga.NotFound, "The tunnel has ended; open it anew.")
	}
	if one.clients >= maxServiceClients {
		return s, nil, renga.Errorf(renga.TooMany, "%d connections to %s are open already; end some.", one.clients, one.AddOn)
	}
	one.clients++
	d.relays.Add(1)
	return one.Service, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		one.clients--
		one.until = time.Now().Add(d.Idle)
		d.relays.Done()
	}, nil
}
