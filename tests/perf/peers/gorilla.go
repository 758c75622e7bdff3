// gorilla/websocket: its chat example's hub, one reading and one writing goroutine per client, with prepared messages.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

type changes struct {
	ShortDescription string `json:"short_description"`
	T                uint64 `json:"t"`
	Description      string `json:"description,omitempty"`
}

type data struct {
	CourseID string  `json:"course_id"`
	Changes  changes `json:"changes"`
	Version  int     `json:"version"`
	N        int     `json:"n"`
}

type event struct {
	Type    string `json:"type"`
	Channel string `json:"channel"`
	Event   string `json:"event"`
	Epoch   string `json:"epoch"`
	Offset  int    `json:"offset"`
	ID      string `json:"id"`
	At      string `json:"at"`
	Data    data   `json:"data"`
}

type command struct {
	ID   int    `json:"id"`
	Type string `json:"type"`
}

type result struct {
	ServerTime string `json:"server_time"`
}

type reply struct {
	ID     int    `json:"id"`
	OK     bool   `json:"ok"`
	Result result `json:"result"`
}

type client struct {
	connection *websocket.Conn
	send       chan *websocket.PreparedMessage
}

var (
	lock     sync.Mutex
	clients  = map[*client]bool{}
	upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	offset   int
)

func now() string {
	return time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
}

func prepared(message any) *websocket.PreparedMessage {
	text, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	made, err := websocket.NewPreparedMessage(websocket.TextMessage, text)
	if err != nil {
		panic(err)
	}
	return made
}

func (c *client) write() {
	for message := range c.send {
		if c.connection.WritePreparedMessage(message) != nil {
			return
		}
	}
}

func (c *client) read() {
	defer func() {
		lock.Lock()
		delete(clients, c)
		close(c.send)
		lock.Unlock()
		c.connection.Close()
	}()
	for {
		_, text, err := c.connection.ReadMessage()
		if err != nil {
			return
		}
		var asked command
		if json.Unmarshal(text, &asked) != nil {
			return
		}
		c.send <- prepared(reply{asked.ID, true, result{now()}})
	}
}

func serve(writer http.ResponseWriter, request *http.Request) {
	connection, err := upgrader.Upgrade(writer, request, nil)
	if err != nil {
		return
	}
	made := &client{connection, make(chan *websocket.PreparedMessage, 256)}
	lock.Lock()
	clients[made] = true
	lock.Unlock()
	go made.write()
	go made.read()
}

func publish(count int, stamp uint64, size int) {
	for n := 0; n < count; n++ {
		offset++
		message := prepared(event{
			"event", "course:crs_01kaj3v9f0q5t8w2x4y6z8a0b2", "course_updated", "p3Jm0aVxQ1uQd4yT", offset,
			"evt_01kaj3v9f0q5t8w2x4y6z8a0b2", now(),
			data{"crs_01kaj3v9f0q5t8w2x4y6z8a0b2", changes{"Slopes and lines, with examples.", stamp, strings.Repeat("x", size)}, offset, 0},
		})
		lock.Lock()
		for c := range clients {
			select {
			case c.send <- message:
			default: // too slow: the chat example ends it, too
				c.connection.Close()
			}
		}
		lock.Unlock()
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	http.HandleFunc("/", serve)
	go http.Serve(listener, nil)
	fmt.Printf("ready %d\n", listener.Addr().(*net.TCPAddr).Port)
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		words := strings.Fields(orders.Text())
		count, _ := strconv.Atoi(words[1])
		stamp, _ := strconv.ParseUint(words[2], 10, 64)
		size, _ := strconv.Atoi(words[3])
		publish(count, stamp, size)
	}
}
