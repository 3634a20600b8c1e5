// Somebody's mesh before the camera. Depth runs as 1 - near / z, which keeps its precision far away.
uniform mat4 T_camera_world;
uniform mat3 K;
uniform vec2 size_px;
uniform float near_m;

in vec3 point_world;
in vec3 normal_world;
in vec2 place;
in vec2 moved_px;  // to the next frame

out vec3 point;
out vec3 normal;
out vec2 uv;
out vec2 moved;

void main() {
    vec3 homogeneous = K * (T_camera_world * vec4(point_world, 1.0)).xyz;
    float z = homogeneous.z;
    gl_Position = vec4(2.0 * homogeneous.xy / size_px - z, z - 2.0 * near_m, z);
    point = point_world;
    normal = normal_world;
    uv = place;
    moved = moved_px;
}
