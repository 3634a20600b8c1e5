"""People's motion on Anny, NAVER's body of MakeHuman's shapes: its phenotypes and poses, by Anny's own package."""
