// The traced surroundings under the shadows of people: the first half of illumination._shade.
uniform sampler2D sunny, shady;
uniform isampler2D owner;
uniform mat3 A_px;  // of damage.Passage
uniform vec3 b_px;
uniform sampler2D contact;  // how open the floor is to the sky
uniform vec3 contact_from;  // its corner x, y and its texel, metres

layout(location = 0) out vec4 picture;
layout(location = 1) out ivec2 seen;  // mesh, and solid behind it
layout(location = 2) out vec2 motion;  // px to the next frame

void main() {
    ivec2 px = ivec2(gl_FragCoord.xy);
    vec4 by_sun = texelFetch(sunny, px, 0);
    vec3 point = eye + by_sun.a * (ray_of_px * vec3(gl_FragCoord.xy, 1.0));
    float lit = by_sun.g > 0.0 ? sunlit(point, 0.05) : 1.0;
    vec2 at = (point.xy - contact_from.xy) / contact_from.z;
    float open = point.z < 0.05 && on_map(contact, at) ? between(contact, at).r : 1.0;
    picture = vec4(by_sun.rgb * lit * (0.5 + 0.5 * open) + texelFetch(shady, px, 0).rgb * open, by_sun.a);
    vec3 then = by_sun.a * (A_px * vec3(gl_FragCoord.xy, 1.0)) + b_px;
    motion = then.z > 0.05 ? then.xy / then.z - gl_FragCoord.xy : vec2(0.0);
    seen = ivec2(-1, texelFetch(owner, px, 0).r);
    gl_FragDepth = buffer_depth(by_sun.a);
}
