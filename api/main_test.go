package api_test

import (
	"os"
	"testing"

	"renga/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
