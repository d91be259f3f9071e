# Reads bodies as Ruby's default parser does, which takes comments for JSON. See ../readers.py.
require "json"

def say(value)
  case value
  when nil then "null"
  when true, false then value.to_s
  when String then "s" + value.b.unpack1("H*")
  when Numeric then value.abs < 1e15 && value == value.floor ? "n#{value.to_i}" : "n?"
  else "?"
  end
end

STDIN.each_line do |line|
  body = line.chomp.unpack1("m0").force_encoding("UTF-8")
  begin
    members = JSON.parse(body, max_nesting: 0)
    puts members.is_a?(Hash) ? ARGV.map { |name| members.key?(name) ? say(members[name]) : "-" }.join(" ") : "refused"
  rescue StandardError
    puts "refused"
  end
end
