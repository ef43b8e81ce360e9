package store

// For the fuzz tests.
var (
	ParseURL        = func(text string) (where string, addrs []string, err error) { return parts(parseURL(text)) }
	DecodeRelease   = decodeRelease
	DecodeFormation = decodeFormation
	DecodeDynos     = decodeDynos
	DecodeTimes     = decodeTimes
	DecodeHead      = decodeHead
	DecodeApp       = decodeApp
)

// HostsKept is for the test of what is pushed out.
const HostsKept = hostsKept

// Head is what DecodeRelease wants to know.
type Head = head

func parts(a address, err error) (string, []string, error) { return a.where, a.options.Addrs, err }
