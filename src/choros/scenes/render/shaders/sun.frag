// People as the sun sees them: only how far away.
out float depth;

void main() {
    depth = 1.0 / gl_FragCoord.w;
}
