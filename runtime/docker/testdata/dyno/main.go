// Command dyno is what the engine's tests run in containers: a verb, and what
// the verb needs.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	switch verb := os.Args[1]; verb {
	case "serve": // listens on $PORT until SIGTERM
		listen(":" + os.Getenv("PORT"))
		<-term
	case "stubborn": // the same, and ignores SIGTERM
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("deaf")
		listen(":" + os.Getenv("PORT"))
		select {}
	case "listen-elsewhere":
		listen("127.0.0.1:3000")
		listen("[::]:9999")
		<-term
	case "exit":
		os.Exit(3)
	case "chatty":
		chat()
		<-term
		fmt.Println("bye")
	case "echo": // prints its input
		echo()
	case "long": // a line longer than Docker's frames, then one on stderr, then one without an end
		fmt.Println(strings.Repeat("x", 40_000))
		fmt.Fprintln(os.Stderr, "from stderr")
		fmt.Print("no newline")
	case "keep": // appends to its notes on the disk, until SIGTERM
		fmt.Println(keep("/disk/notes"))
		<-term
	case "eat-memory":
		eat()
	case "fill": // its disk, without end, in a way
		fmt.Println(fill(os.Args[2]))
		<-term
	case "pid": // prints which process it is, and runs on until SIGTERM
		fmt.Println("process", os.Getpid())
		<-term
	case "starving": // has a child that is killed for lack of memory, again and again
		go func() {
			for {
				fmt.Println("child ended:", exec.Command("/bin/dyno", "eat-memory").Run())
			}
		}()
		<-term
	case "reach": // dials an address and says how it went
		conn, err := net.DialTimeout("tcp", os.Args[2], 2*time.Second)
		if err != nil {
			fmt.Println("not reached")
			return
		}
		fmt.Println("reached")
		_ = conn.Close() // the answer is given
	case "tree": // a child that ends on SIGTERM, itself deaf to it
		signal.Ignore(syscall.SIGTERM)
		child := exec.Command("/bin/dyno", "child")
		child.Stdout = os.Stdout
		fmt.Println("child ended:", child.Run())
	case "clinging": // with a child, both deaf to what asks to end
		signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
		child := exec.Command("/bin/dyno", "deaf")
		child.Stdout, child.Stdin = os.Stdout, os.Stdin
		fmt.Println("child ended:", child.Run())
	case "deaf":
		fmt.Println("deaf")
		<-make(chan int)
	case "child":
		signal.Reset(syscall.SIGTERM)
		signal.Notify(term, syscall.SIGTERM)
		fmt.Println("child ready")
		<-term
	default:
		fmt.Println("no verb", verb)
		os.Exit(2)
	}
}

func listen(addr string) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.Close() // to be accepted is all they want
		}
	}()
}

func chat() {
	for n := range 100 {
		fmt.Println("line", n+1)
	}
	fmt.Println("GREETING=" + os.Getenv("GREETING"))
}

func echo() {
	_, err := unix.IoctlGetTermios(0, unix.TCGETS)
	terminal := err == nil
	fmt.Println("ready")
	if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
		fmt.Println(err)
	}
	fmt.Println("terminal:", terminal)
	os.Exit(5)
}

// keep appends a byte to a file, and says how many it has.
func keep(path string) string {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err == nil {
		if _, err = f.WriteString("."); err == nil {
			err = f.Close()
		}
	}
	notes, readErr := os.ReadFile(path)
	if readErr != nil {
		return readErr.Error()
	}
	said := fmt.Sprint("notes: ", len(notes))
	if err != nil {
		said += " read-only"
	}
	return said
}

// fill writes until it cannot, or has written 4 GB.
func fill(how string) error {
	const most = 4 << 30
	path := "/full"
	switch how {
	case "volume":
		path = "/data/full"
	case "many": // empty files
		for n := range most / 4096 {
			if err := os.WriteFile(fmt.Sprint("/many", n), nil, 0o600); err != nil {
				return err
			}
		}
		return nil
	case "deep": // where no path leads to
		for range 3000 {
			if err := os.Mkdir("d", 0o700); err != nil {
				return err
			}
			if err := os.Chdir("d"); err != nil {
				return err
			}
		}
		path = "full"
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if how == "unlinked" || how == "mapped" {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	if how == "mapped" {
		return fillMapped(f)
	}
	for range most >> 20 {
		if _, err := f.Write(make([]byte, 1<<20)); err != nil {
			return err
		}
	}
	return nil
}

// fillMapped fills a file that is nowhere open any more.
func fillMapped(f *os.File) error {
	const size = 256 << 20
	if err := f.Truncate(size); err != nil {
		return err
	}
	mapped, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	for i := 0; i < size; i += 4096 {
		mapped[i] = 1
	}
	return unix.Msync(mapped, unix.MS_SYNC)
}

func eat() {
	var all [][]byte
	for {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		all = append(all, b)
		if len(all) > 1<<14 {
			return
		}
	}
}
