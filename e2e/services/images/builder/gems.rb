#!/usr/bin/env ruby
# Makes a gem of each of Debian's packages of pure Ruby below a directory: gems.rb ROOT FOLDER
require "fileutils"
require "rubygems/package"
require "tmpdir"

root, folder = ARGV.map { |path| File.expand_path(path) }
installed = "#{root}/usr/share/rubygems-integration/all"

def repack(found, sources, folder)
  Dir.mktmpdir do |dir|
    Dir.chdir(dir) do
      FileUtils.mkdir("lib")
      FileUtils.cp_r(sources, "lib")
      gem = Gem::Specification.new do |spec|
        spec.name, spec.version, spec.summary, spec.authors = found.name, found.version, found.summary, found.authors
        spec.files = Dir["lib/**/*.rb"]
        found.runtime_dependencies.each { |on| spec.add_runtime_dependency(on.name, on.requirement) }
      end
      FileUtils.mv(Gem::Package.build(gem, true), folder)
    end
  end
end

Dir["#{installed}/specifications/*.gemspec"].each do |file|
  found = Gem::Specification.load(file)
  own = "#{installed}/gems/#{found.full_name}/lib"
  sources = File.directory?(own) ? Dir["#{own}/*"] : Dir["#{root}/usr/lib/ruby/vendor_ruby/{#{found.name},#{found.name}.rb}"]
  repack(found, sources, folder)
end
