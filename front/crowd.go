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

// Bounds are how many connections from clients there may be at a time. Zero
// means no bound.
type Bounds struct {
	All        int
	PerAddress int
	// Files is the first file descriptor that no client gets. The kernel gives
	// the lowest that is free, so those from this one on are left for whatever
	// else the program opens.
	Files int
}

// Crowd is all who are connected, over all doors that share it. When a bound is
// reached, whoever has been waited for longest gives way: a kept connection
// without a request, or one whose request does not go on. Who is being answered
// never does. So neither those who hold connections open nor the neighbours
// behind their address keep anybody out.
type Crowd struct {
	bounds Bounds
	log    *slog.Logger

	mu     sync.Mutex
	all    map[*guest]struct{}
	byAddr map[string]map[*guest]struct{}
	told   time.Time // when the log was told last
}

// NewCrowd makes one of nobody.
func NewCrowd(b Bounds, log *slog.Logger) *Crowd {
	return &Crowd{bounds: b, log: log, all: map[*guest]struct{}{}, byAddr: map[string]map[*guest]struct{}{}}
}

// guest is one connection.
type guest struct {
	crowd *Crowd
	conn  *net.TCPConn
	file  int
	who   string // the address it counts for; empty for none

	busy  atomic.Int32 // what is being done for it; at zero it is waited for
	since atomic.Int64 // when that began, in unix nanoseconds
}

// work says that something is done for the guest from now on, and rest that it
// is waited for.
func (g *guest) work() {
	if g != nil {
		g.busy.Add(1)
	}
}

func (g *guest) rest() {
	if g != nil && g.busy.Add(-1) <= 0 {
		g.since.Store(time.Now().UnixNano())
	}
}

// enter lets a connection in, if there is room or can be made. A zero address
// counts for nobody.
func (c *Crowd) enter(conn *net.TCPConn, addr netip.Addr) (*guest, bool) {
	g := &guest{crowd: c, conn: conn, file: fileOf(conn)}
	g.since.Store(time.Now().UnixNano())
	c.mu.Lock()
	defer c.mu.Unlock()
	full := c.bounds.All > 0 && len(c.all) >= c.bounds.All || c.bounds.Files > 0 && g.file >= c.bounds.Files
	if full && !c.makeRoomLocked(c.all) {
		c.tellLocked("all together", addr)
		return nil, false
	}
	c.all[g] = struct{}{}
	return g, c.countLocked(g, addr)
}

// count counts a guest for an address, once that is known; false when it is not
// let in after all.
func (c *Crowd) count(g *guest, addr netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.countLocked(g, addr)
}

func (c *Crowd) countLocked(g *guest, addr netip.Addr) bool {
	if !addr.IsValid() {
		return true
	}
	who := renga.Neighbourhood(addr.String())
	if most := c.bounds.PerAddress; most > 0 && len(c.byAddr[who]) >= most && !c.makeRoomLocked(c.byAddr[who]) {
		c.tellLocked("of one address", addr)
		delete(c.all, g)
		return false
	}
	g.who = who
	if c.byAddr[who] == nil {
		c.byAddr[who] = map[*guest]struct{}{}
	}
	c.byAddr[who][g] = struct{}{}
	return true
}

// makeRoomLocked closes the connection among some that is waited for longest.
func (c *Crowd) makeRoomLocked(among map[*guest]struct{}) bool {
	var longest *guest
	for g := range among {
		if g.busy.Load() <= 0 && (longest == nil || g.since.Load() < longest.since.Load()) {
			longest = g
		}
	}
	if longest == nil {
		return false
	}
	c.leaveLocked(longest)
	_ = longest.conn.Close() // its server notices
	return true
}

// leave forgets a guest.
func (c *Crowd) leave(g *guest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaveLocked(g)
}

func (c *Crowd) leaveLocked(g *guest) {
	delete(c.all, g)
	delete(c.byAddr[g.who], g)
	if len(c.byAddr[g.who]) == 0 {
		delete(c.byAddr, g.who)
	}
}

// tellLocked tells the log that somebody was turned away, now and then.
func (c *Crowd) tellLocked(which string, from netip.Addr) {
	const seldom = time.Minute
	if time.Since(c.told) < seldom {
		return
	}
	c.told = time.Now()
	c.log.Warn("connections are turned away: there are too many that are all being answered; see --max-connections and --max-connections-per-address",
		"too_many", which, "from", from, "open", len(c.all), "most", c.bounds.All, "most_per_address", c.bounds.PerAddress)
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
