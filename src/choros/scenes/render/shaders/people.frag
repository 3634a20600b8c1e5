// Cloth and skin under sun and sky: the second half of illumination._shade.
uniform isampler2D owner;
uniform isampler2D faces;  // texture and mesh of every face, row after row
uniform sampler2DArray stacks;
uniform float focal_px, texel_m;
uniform sampler2D occluders;
uniform int solids;
uniform vec3 sun, sky;

in vec3 point;
in vec3 normal;
in vec2 uv;
in vec2 moved;

layout(location = 0) out vec4 picture;
layout(location = 1) out ivec2 seen;  // mesh, and solid behind it
layout(location = 2) out vec2 motion;  // px to the next frame

void main() {
    int width = textureSize(faces, 0).x;
    ivec2 face = texelFetch(faces, ivec2(gl_PrimitiveID % width, gl_PrimitiveID / width), 0).xy;
    float z = 1.0 / gl_FragCoord.w;
    vec3 n = normal / (length(normal) + 1e-9);
    vec3 ray = point - eye;
    bool inside = dot(n, ray) > 0.35 * length(ray);
    vec3 colour = texel(stacks, face.x, uv, z / focal_px / texel_m);
    // Light creeps a little around the edge, as it does on cloth and skin.
    float lit = max((dot(n, to_sun) + 0.12) / 1.12, 0.0);
    if (lit > 0.0) {
        lit *= sunlit(point + 0.01 * n, 0.035);
        if (lit > 0.0 && blocked(occluders, solids, point)) lit = 0.0;
    }
    // Sky from above, light off the floor from below, less of both near the ground.
    float around = (0.62 + 0.38 * n.z) * (0.8 + 0.2 * min(point.z / 0.8, 1.0));
    float bounce = 0.16 * (0.5 - 0.5 * n.z);
    if (inside) {
        lit = 0.0;
        around *= 0.3;
        bounce *= 0.3;
    }
    picture = vec4(colour * (lit * sun + around * sky + bounce * sun), z);
    motion = moved;
    seen = ivec2(face.y, texelFetch(owner, ivec2(gl_FragCoord.xy), 0).r);
}
