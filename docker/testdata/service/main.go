// Command service is what tests run as the service of an add-on: it has a note in
// its volume.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

const note = "/data/note"

func main() {
	switch verb := os.Args[1]; verb {
	case "serve": // until SIGTERM
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM)
		text, _ := os.ReadFile(note) // none at first
		fmt.Printf("serving %q for %s\n", text, os.Getenv("OWNER"))
		<-term
	case "echo": // its input, with the last words on standard error and a status
		n, err := io.Copy(os.Stdout, os.Stdin)
		fmt.Fprintln(os.Stderr, "read", n, "bytes", err)
		status, _ := strconv.Atoi(os.Args[2])
		os.Exit(status)
	case "spam": // much on standard error
		for n := range 10_000 {
			fmt.Fprintln(os.Stderr, "complaint", n)
		}
		os.Exit(1)
	case "stat":
		for _, path := range os.Args[2:] {
			info, err := os.Stat(path)
			if err != nil {
				fmt.Println(err)
				continue
			}
			owner := info.Sys().(*syscall.Stat_t)
			fmt.Println(path, info.Mode(), owner.Uid, owner.Gid)
		}
		fmt.Println("as", os.Getuid())
	case "read":
		text, err := os.ReadFile(os.Args[2])
		fmt.Print(string(text))
		if err != nil {
			fmt.Println(err)
		}
	case "find": // addresses of hosts
		for _, host := range os.Args[2:] {
			found, err := net.LookupHost(host)
			fmt.Println(host, len(found), err == nil)
		}
	case "check":
		if _, err := os.Stat(note); err != nil {
			fmt.Println("there is no note")
			os.Exit(1)
		}
	case "write":
		if err := os.WriteFile(note, []byte(os.Args[2]), 0o600); err != nil {
			fmt.Println(err)
			os.Exit(2)
		}
		fmt.Println("written")
	}
}
