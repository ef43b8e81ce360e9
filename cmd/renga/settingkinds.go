package main

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"renga/addons/backups"
)

// These make the text of a setting a value, at the place that they are given.

func text(at *string) func(string) error {
	return func(v string) error {
		*at = v
		return nil
	}
}

func boolean(at *bool) func(string) error {
	return func(v string) (err error) {
		if *at, err = strconv.ParseBool(v); err != nil {
			return fmt.Errorf("%q is neither true nor false", v)
		}
		return nil
	}
}

func number(at *int) func(string) error {
	return func(v string) (err error) {
		if *at, err = strconv.Atoi(v); err != nil {
			return fmt.Errorf("%q is no whole number", v)
		}
		return nil
	}
}

func duration(at *time.Duration) func(string) error {
	return func(v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is no duration above zero, such as 60s", v)
		}
		*at = d
		return nil
	}
}

func addresses(at *[]string) func(string) error {
	return func(v string) error {
		for one := range strings.SplitSeq(v, ",") {
			one = strings.TrimSpace(one)
			if _, port, err := net.SplitHostPort(one); err != nil || port == "" {
				return fmt.Errorf("%q is no host:port", one)
			}
			*at = append(*at, one)
		}
		return nil
	}
}

// networks reads prefixes; none is a good answer.
func networks(at *[]netip.Prefix) func(string) error {
	return func(v string) error {
		for one := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == ',' || r == ' ' }) {
			prefix, err := netip.ParsePrefix(one)
			if err != nil {
				return fmt.Errorf("%q is no prefix such as 10.0.0.0/8", one)
			}
			*at = append(*at, prefix)
		}
		return nil
	}
}

// orOff lets a setting be switched off.
func orOff(set func(string) error) func(string) error {
	return func(v string) error {
		if v == "off" || v == "" {
			return nil
		}
		return set(v)
	}
}

// retention reads three numbers with colons between them.
func retention(at *backups.Retention) func(string) error {
	return func(v string) error {
		parts := strings.Split(v, ":")
		if len(parts) != 3 {
			return fmt.Errorf("%q is no three numbers, such as 7:4:25", v)
		}
		for i, to := range []*int{&at.Days, &at.Weeks, &at.Asked} {
			n, err := strconv.Atoi(parts[i])
			if err != nil || n < 0 || n > maxKept {
				return fmt.Errorf("%q is no number from 0 to %d", parts[i], maxKept)
			}
			*to = n
		}
		return nil
	}
}

// maxKept bounds how many backups of an add-on are kept of one kind.
const maxKept = 365
