// The surroundings, one ray or finer x finer rays a pixel: see tracing._trace, of which this is the twin.
uniform sampler2D table;
uniform int solids;
uniform sampler2DArray stacks;
uniform float floor_period;
uniform float focal_px;
uniform vec3 sun, sky, zenith, horizon;
uniform int finer;  // odd: the middle ray is the pixel's centre and tells the depth
uniform sampler2D floor_open;  // shares of sun and sky that reach the floor
uniform vec3 floor_from;  // that map's corner x, y and its texel, metres

layout(location = 0) out vec4 sunny;  // and depth, metres
layout(location = 1) out vec4 shady;
layout(location = 2) out int owner;  // solid, FLOOR or SKY

void main() {
    sunny = vec4(0.0);
    shady = vec4(0.0, 0.0, 0.0, 1.0);
    for (int sample_ = 0; sample_ < finer * finer; sample_++) {
        vec2 at = gl_FragCoord.xy + (vec2(sample_ % finer, sample_ / finer) + 0.5) / float(finer) - 0.5;
        vec3 ray = ray_of_px * vec3(at, 1.0);
        int solid, side;
        float t = hit(
            table, solids, eye, ray, ray.z > -1e-6 ? FAR_M : min(-eye.z / ray.z, FAR_M), solid, side
        );
        if (sample_ == finer * finer / 2) {
            sunny.a = t;
            owner = solid >= 0 ? solid : t < FAR_M ? FLOOR : SKY;
        }
        float share = 1.0 / float(finer * finer);
        if (t >= FAR_M) {
            float up = pow(min(max(normalize(ray).z, 0.0) * 1.6, 1.0), 0.7);
            shady.rgb += share * mix(horizon, zenith, up);
            continue;
        }
        vec3 point = eye + t * ray;
        vec3 normal = vec3(0.0, 0.0, 1.0);
        vec2 place = point.xy;
        float period = floor_period, open = 1.0;
        int number = 0;
        if (solid >= 0) {
            vec4 head = texelFetch(table, ivec2(0, solid), 0), body = texelFetch(table, ivec2(1, solid), 0);
            vec4 tail = texelFetch(table, ivec2(2, solid), 0);  // sine of the yaw, texture, period
            float c = body.w, s = tail.x, r = body.x;
            number = int(tail.y);
            period = tail.z;
            vec3 from = point - head.yzw;
            vec2 local = vec2(c * from.x + s * from.y, -s * from.x + c * from.y);
            vec2 along = vec2(c * ray.x + s * ray.y, -s * ray.x + c * ray.y);
            place = vec2(local.x, point.z);
            if (side == 0) {
                normal = vec3(c, s, 0.0) * (along.x > 0.0 ? -1.0 : 1.0);
                place.x = local.y;
            } else if (side == 1) {
                normal = vec3(-s, c, 0.0) * (along.y > 0.0 ? -1.0 : 1.0);
            } else if (side == 3) {
                normal = vec3(from.xy / r, 0.0);
                place.x = atan(local.y, local.x) * r;
            } else if (side == 4) {
                normal = from / r;
                place.x = atan(local.y, local.x) * r;
                open = 0.55 + 0.35 * normal.z;
            } else {
                normal.z = ray.z > 0.0 ? -1.0 : 1.0;
                place.y = local.y;
            }
            if (normal.z == 0.0) open = 0.62 + 0.2 * min(point.z / 3.0, 1.0);
        }
        float away = t * length(ray);
        float slant = max(abs(dot(normal, normalize(ray))), 0.08);
        float footprint = away / focal_px / sqrt(slant) / float(finer) / period;
        vec3 colour = texel(stacks, number, place / period, footprint);
        float lit = max(dot(normal, to_sun), 0.0);
        vec2 on_floor = (point.xy - floor_from.xy) / floor_from.z - 0.5;
        if (solid >= 0) {
            if (lit > 0.0 && blocked(table, solids, point + 1e-3 * normal)) lit = 0.0;
        } else if (on_map(floor_open, on_floor)) {
            vec2 share_of = between(floor_open, on_floor);
            lit *= share_of.x;
            open = share_of.y;
        }
        float haze = 1.0 - exp(-away / 260.0);
        vec3 clear = share * (1.0 - haze) * colour;
        sunny.rgb += clear * lit * sun;
        shady.rgb += clear * open * sky + share * haze * horizon;
    }
}
