package main

import (
	"errors"
	"io/fs"
)

// servingFile says where the platform served last. Commands that tell clients
// how to reach it read it, for their own settings may be others.
type servingFile struct {
	Domain    string   `json:"domain"`
	Listen    []string `json:"listen"`
	ListenTLS []string `json:"listen_tls"`
}

func servingOf(s Settings) servingFile {
	return servingFile{Domain: s.Domain, Listen: s.Listen, ListenTLS: s.ListenTLS}
}

// asServed gives settings the addresses and the domain of the last start, when
// there was one.
func (s Settings) asServed() (Settings, error) {
	at, err := loadJSON[servingFile](s.path("serving.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	s.Domain, s.Listen, s.ListenTLS = at.Domain, at.Listen, at.ListenTLS
	return s, err
}
