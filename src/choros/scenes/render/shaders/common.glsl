// What several shaders share: rays against solids, textures, the sun's picture. Row 0 of every picture is its
// top, so gl_FragCoord is in image coordinates. Lengths in metres, world axes (z up), linear RGB.
const int BOX = 0, CYLINDER = 1, BALL = 2;
const int FLOOR = -1, SKY = -2;  // in place of a solid's number
const float FAR_M = 400.0, NEAR_M = 0.05, NOTHING = 1e30;

uniform vec3 eye;
uniform mat3 ray_of_px;  // image coordinates to a ray in the world whose z in camera axes is 1
uniform vec3 to_sun;
uniform sampler2D sun_depth;  // metres from the sun's camera; NOTHING where its light goes on
uniform mat4 T_sun_world;
uniform mat3 K_sun;
uniform float softness;  // the sun's radius over its distance

float buffer_depth(float z) {  // of perspective.glsl's projection
    return 1.0 - NEAR_M / z;
}

// First of ``count`` solids along a ray: distance (``nearest`` if none is nearer), its row (-1) and the side's axis.
float hit(sampler2D table, int count, vec3 origin, vec3 ray, float nearest, out int row, out int side) {
    float best = nearest;
    row = -1;
    side = 0;
    for (int s = 0; s < count; s++) {
        vec4 head = texelFetch(table, ivec2(0, s), 0);  // kind, centre
        vec4 body = texelFetch(table, ivec2(1, s), 0);  // half extents, cosine of the yaw
        float c = body.w, n = texelFetch(table, ivec2(2, s), 0).x;
        vec3 h = body.xyz, p = origin - head.yzw;
        vec2 a = vec2(c * p.x + n * p.y, -n * p.x + c * p.y);
        vec2 b = vec2(c * ray.x + n * ray.y, -n * ray.x + c * ray.y);
        float enter = -NOTHING, leave = NOTHING;
        int axis = 2;
        if (abs(ray.z) > 1e-9) {
            float t0 = (-h.z - p.z) / ray.z, t1 = (h.z - p.z) / ray.z;
            enter = min(t0, t1);
            leave = max(t0, t1);
        } else if (abs(p.z) > h.z) {
            continue;
        }
        if (int(head.x) == BOX) {
            bool missed = false;
            for (int k = 0; k < 2; k++) {
                if (abs(b[k]) < 1e-9) {
                    missed = missed || abs(a[k]) > h[k];
                    continue;
                }
                float t0 = (-h[k] - a[k]) / b[k], t1 = (h[k] - a[k]) / b[k];
                if (min(t0, t1) > enter) {
                    enter = min(t0, t1);
                    axis = k;
                }
                leave = min(leave, max(t0, t1));
            }
            if (missed) continue;
        } else {
            // The root is that of b^2 - a q, written so that single precision keeps it far from the solid.
            bool ball = int(head.x) == BALL;
            float bb = ball ? dot(ray, ray) : dot(b, b), ab = ball ? dot(ray, p) : dot(a, b);
            vec3 turn = ball ? cross(p, ray) : vec3(0.0, 0.0, a.x * b.y - a.y * b.x);
            float root = bb * h.x * h.x - dot(turn, turn);
            if (root <= 0.0 || bb < 1e-12) continue;
            root = sqrt(root);
            float t0 = (-ab - root) / bb, t1 = (-ab + root) / bb;
            if (ball || t0 > enter) {
                enter = t0;
                axis = ball ? 4 : 3;
            }
            leave = ball ? t1 : min(leave, t1);
        }
        if (enter < leave && enter > 1e-4 && enter < best) {
            best = enter;
            row = s;
            side = axis;
        }
    }
    return best;
}

bool blocked(sampler2D table, int count, vec3 from) {
    int row, side;
    hit(table, count, from, to_sun, NOTHING, row, side);
    return row >= 0;
}

vec3 light_of(sampler2DArray stacks, int x, int y, int level, int number) {
    int size = textureSize(stacks, 0).x;
    vec3 shown = texelFetch(stacks, ivec3(x, level * size + y, number), 0).rgb;
    return shown * shown;
}

// A texture at ``place``, in repeats, over ``footprint`` repeats. Its copies lie one under another in its layer.
vec3 texel(sampler2DArray stacks, int number, vec2 place, float footprint) {
    int size = textureSize(stacks, 0).x, levels = textureSize(stacks, 0).y / size;
    float level = min(log2(max(footprint * float(size), 1.0)), float(levels - 1));
    int fine = int(floor(level)), coarse = int(ceil(level));
    vec2 at = fract(place) * float(size) - 0.5;
    ivec2 low = ivec2(floor(at));
    vec2 share = at - vec2(low);
    ivec2 p = (low + size) % size, q = (low + 1) % size;
    vec3 value = mix(
        mix(light_of(stacks, p.x, p.y, fine, number), light_of(stacks, q.x, p.y, fine, number), share.x),
        mix(light_of(stacks, p.x, q.y, fine, number), light_of(stacks, q.x, q.y, fine, number), share.x),
        share.y
    );
    // A blurred copy changes slowly: its nearest texel does.
    return mix(value, light_of(stacks, p.x, p.y, coarse, number), level - float(fine));
}

// Whether four texels of a map lie around a place, which counts from the first texel's centre.
bool on_map(sampler2D map, vec2 at) {
    return min(at.x, at.y) >= 0.0 && all(lessThan(ivec2(at) + 1, textureSize(map, 0)));
}

// A map between the centres of its texels.
vec2 between(sampler2D map, vec2 at) {
    ivec2 low = ivec2(at);
    vec2 share = at - vec2(low);
    return mix(
        mix(texelFetch(map, low, 0).rg, texelFetch(map, low + ivec2(1, 0), 0).rg, share.x),
        mix(texelFetch(map, low + ivec2(0, 1), 0).rg, texelFetch(map, low + 1, 0).rg, share.x),
        share.y
    );
}

// Share of the sun that reaches a point: percentage-closer soft shadows, as render._sunlit has them.
float sunlit(vec3 point, float bias) {
    vec3 there = (T_sun_world * vec4(point, 1.0)).xyz;
    vec2 at = (K_sun * there).xy / there.z;
    float px_m = K_sun[0][0] / there.z, size = float(textureSize(sun_depth, 0).x);
    float reach = max(px_m * softness * 1.8, 1.2);
    if (min(at.x, at.y) < reach + 1.0 || max(at.x, at.y) >= size - reach - 1.0) return 1.0;
    float before = 0.0, count = 0.0;
    for (int j = -2; j <= 2; j++)
        for (int i = -2; i <= 2; i++) {
            float nearest = texelFetch(sun_depth, ivec2(at + 0.5 * reach * vec2(i, j)), 0).r;
            if (nearest < there.z - bias) {
                before += there.z - nearest;
                count += 1.0;
            }
        }
    if (count == 0.0) return 1.0;
    float radius = min(max(px_m * softness * before / count, 1.2), reach), open = 0.0;
    for (int j = -3; j <= 3; j++)
        for (int i = -3; i <= 3; i++)
            if (i * i + j * j <= 10)
                open += float(texelFetch(sun_depth, ivec2(at + 0.33 * radius * vec2(i, j)), 0).r > there.z - bias);
    return open / 37.0;
}
