require "tilt"
require "webrick"

page = Tilt::ERBTemplate.new { "Ruby with tilt <%= version %>\n" }
server = WEBrick::HTTPServer.new(Port: ENV.fetch("PORT"))
server.mount_proc("/") do |_, response|
  response.content_type = "text/plain"
  response.body = page.render(nil, version: Tilt::VERSION)
end
trap("TERM") { server.shutdown }
server.start
