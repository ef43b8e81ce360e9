package front

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"renga"
)

// ConnLimits are how many connections clients may have open at a time. Zero means
// no limit.
type ConnLimits struct {
	All        int
	PerAddress int
	// Files is the first file descriptor that no client gets. The kernel gives
	// the lowest that is free, so those from this one on are left for whatever
	// else the program opens.
	Files int
}

// ConnLimiter knows the open connections of all doors that share it. When a limit
// is reached, it closes the connection that has waited longest for its client: a
// kept one without a request, or one whose request does not go on. It never closes
// one that is being answered. So nobody is kept out by clients that hold
// connections open, nor by others behind the same address.
type ConnLimiter struct {
	limits ConnLimits
	log    *slog.Logger

	mu       sync.Mutex
	all      map[*client]struct{}
	byAddr   map[string]map[*client]struct{}
	warnedAt time.Time // when the log was last told
}

// NewConnLimiter makes one without connections.
func NewConnLimiter(b ConnLimits, log *slog.Logger) *ConnLimiter {
	return &ConnLimiter{limits: b, log: log, all: map[*client]struct{}{}, byAddr: map[string]map[*client]struct{}{}}
}

// client is one connection of a client.
type client struct {
	limiter *ConnLimiter
	conn    *net.TCPConn
	file    int
	who     string // the address it counts for; empty for none

	busy  atomic.Int32 // what is being done for it; at zero we wait for the client
	since atomic.Int64 // when the waiting began, in unix nanoseconds
}

// beginWork says that we do something for the client from now on, endWork that we
// wait for it.
func (cl *client) beginWork() {
	if cl != nil {
		cl.busy.Add(1)
	}
}

func (cl *client) endWork() {
	if cl != nil && cl.busy.Add(-1) <= 0 {
		cl.since.Store(time.Now().UnixNano())
	}
}

// add lets a connection in, if a limit allows it or another connection can be
// closed for it. A zero address counts for nobody.
func (c *ConnLimiter) add(conn *net.TCPConn, addr netip.Addr) (*client, bool) {
	cl := &client{limiter: c, conn: conn, file: fileOf(conn)}
	cl.since.Store(time.Now().UnixNano())
	c.mu.Lock()
	defer c.mu.Unlock()
	full := c.limits.All > 0 && len(c.all) >= c.limits.All || c.limits.Files > 0 && cl.file >= c.limits.Files
	if full && !c.makeRoomLocked(c.all) {
		c.warnLocked("all together", addr)
		return nil, false
	}
	c.all[cl] = struct{}{}
	return cl, c.countLocked(cl, addr)
}

// count counts a connection for an address, once that is known; false when it is
// not let in after all.
func (c *ConnLimiter) count(cl *client, addr netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.countLocked(cl, addr)
}

func (c *ConnLimiter) countLocked(cl *client, addr netip.Addr) bool {
	if !addr.IsValid() {
		return true
	}
	who := renga.ClientNetwork(addr.String())
	if most := c.limits.PerAddress; most > 0 && len(c.byAddr[who]) >= most && !c.makeRoomLocked(c.byAddr[who]) {
		c.warnLocked("of one address", addr)
		delete(c.all, cl)
		return false
	}
	cl.who = who
	if c.byAddr[who] == nil {
		c.byAddr[who] = map[*client]struct{}{}
	}
	c.byAddr[who][cl] = struct{}{}
	return true
}

// makeRoomLocked closes the connection that has waited longest for its client.
func (c *ConnLimiter) makeRoomLocked(among map[*client]struct{}) bool {
	var longest *client
	for cl := range among {
		if cl.busy.Load() <= 0 && (longest == nil || cl.since.Load() < longest.since.Load()) {
			longest = cl
		}
	}
	if longest == nil {
		return false
	}
	c.removeLocked(longest)
	_ = longest.conn.Close() // its server notices
	return true
}

// remove forgets a connection.
func (c *ConnLimiter) remove(cl *client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removeLocked(cl)
}

func (c *ConnLimiter) removeLocked(cl *client) {
	delete(c.all, cl)
	delete(c.byAddr[cl.who], cl)
	if len(c.byAddr[cl.who]) == 0 {
		delete(c.byAddr, cl.who)
	}
}

// warnLocked tells the log, once a minute at most, that a connection was turned
// away.
func (c *ConnLimiter) warnLocked(which string, from netip.Addr) {
	const seldom = time.Minute
	if time.Since(c.warnedAt) < seldom {
		return
	}
	c.warnedAt = time.Now()
	c.log.Warn("connections are turned away: there are too many that are all being answered; "+
		"see --max-connections and --max-connections-per-address",
		"too_many", which, "from", from, "open", len(c.all), "most", c.limits.All, "most_per_address", c.limits.PerAddress)
}

// fileOf is a connection's file descriptor.
func fileOf(conn *net.TCPConn) int {
	file := 0
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0 // it is closed already
	}
	_ = raw.Control(func(fd uintptr) { file = int(fd) }) // likewise
	return file
}
